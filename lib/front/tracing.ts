/** OpenTelemetry spans: Deno exports them where the executable was compiled with OTEL_DENO=true, else they cost nothing. */
import { type Span, trace } from "@opentelemetry/api";
import project from "../../deno.json" with { type: "json" };

export type { Span };

const tracer = trace.getTracer(project.name, project.version);

export const withSpan = <T>(name: string, act: (span: Span) => Promise<T>): Promise<T> =>
  tracer.startActiveSpan(name, (span) => act(span).finally(() => span.end()));
