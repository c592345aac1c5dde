/** Tools of the fixture tools room: what they are called and what they do. */
import { AgentError } from "../../lib/errors.ts";
import type { FrontEars, ResourceDefinition } from "../../lib/resource_definition.ts";
import type { ToolCall } from "../../lib/tool_definition.ts";
import { type CallContext, connect, type Handlers, type Peer } from "../../lib/rpc/mod.ts";
import type { ToolDefinition, ToolGroup, ToolResult } from "../../lib/tool_definition.ts";

function define(name: string, readOnlyHint: boolean, group: ToolGroup = "domains"): ToolDefinition {
  return {
    name,
    title: `Title of ${name}`,
    description: `What ${name} does.`,
    group,
    inputSchema: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] },
    outputSchema: { type: "object", properties: { args: {} } },
    annotations: {
      readOnlyHint,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: false,
    },
    deadlineMs: 20_000,
    deadlineFromTimeout: false,
  };
}

export const DEFINITIONS: readonly ToolDefinition[] = [
  define("read", true),
  define("write", false, "servers"),
  define("slow_read", true),
  define("slow_write", false),
  define("count", true, "health"),
  define("refuse", true),
  {
    ...define("remove", false),
    inputSchema: {
      type: "object",
      properties: { name: { type: "string" }, confirm: {}, dry_run: {} },
    },
  },
  { ...define("deaf", true), deadlineMs: 100 },
  { ...define("late", false), deadlineMs: 100 },
  { ...define("patient", true), deadlineMs: 50, deadlineFromTimeout: true },
];

export const RESOURCES: readonly ResourceDefinition[] = [
  {
    uri: "haproxy://fixed",
    name: "fixed",
    title: "Fixed",
    description: "One text.",
    mimeType: "text/plain",
    group: "domains",
  },
  {
    uriTemplate: "haproxy://echo/{value}",
    name: "echo",
    title: "Echo",
    description: "The URI's own value.",
    mimeType: "text/plain",
    group: "servers",
  },
];

export const pause = (ms: number, signal?: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

const echo = ({ args, caller }: ToolCall): ToolResult => ({
  text: `echo ${JSON.stringify(args)}`,
  structured: { args, caller },
});

export type FixtureTools = ReturnType<typeof openFixtureTools>;

/** A tools room of fixtures: what it was called with, and how its calls ended. */
export function openFixtureTools(name = "first", more: Handlers = {}) {
  const begun: string[] = [];
  const aborted: string[] = [];
  const refused: string[] = [];
  const slow = (tool: string) => async (_call: ToolCall, { signal }: CallContext) => {
    begun.push(tool);
    try {
      await pause(15_000, signal);
    } catch (cause) {
      aborted.push(tool);
      throw cause;
    }
    return { text: "ended", structured: {} };
  };
  const handlers = {
    read: (call: ToolCall) => (begun.push("read"), { ...echo(call), text: `${name} read` }),
    write(call: ToolCall) {
      if (call.verdict === "refused") {
        refused.push("write");
        throw new AgentError("REFUSED", "This access is read-only.");
      }
      begun.push("write");
      return echo(call);
    },
    slow_read: slow("slow_read"),
    slow_write: slow("slow_write"),
    late: slow("late"),
    async patient(call: ToolCall, { signal }: CallContext) {
      begun.push("patient");
      await pause(300, signal);
      return echo(call);
    },
    async count(call: ToolCall, { progress }: CallContext) {
      for (let n = 1; n <= 3; n++) {
        progress({ progress: n, total: 3, message: `step ${n}` });
        await pause(30);
      }
      return echo(call);
    },
    remove({ args, verdict }: ToolCall) {
      const { name, confirm, dry_run } = args as Record<string, unknown>;
      if (verdict === "declined") throw new AgentError("CANCELLED", "It was declined.");
      if (name === "missing") throw new AgentError("NOT_FOUND", "There is no missing.");
      if (verdict === "unanswered") throw new AgentError("CANCELLED", "Nobody answered.");
      const isConfirmed = confirm || verdict === "accepted";
      begun.push(`remove ${name}${dry_run ? " rehearsed" : ""}${isConfirmed ? " confirmed" : ""}`);
      const text = dry_run
        ? `Dry run, nothing was changed. It would be: Removed ${name}.`
        : `Removed ${name}.`;
      return { text, structured: {} };
    },
    refuse() {
      throw new AgentError("CAPACITY", "pool_5 has no free slot (10 of 10 used).", {
        hint: "Remove a server or raise HAPROXY_MAX_SLOTS.",
        details: { pool: "pool_5" },
      });
    },
    deaf: () => new Promise(() => {}),
    "resources/list": () => ({
      resources: [{
        uri: "haproxy://fixed",
        name: "fixed",
        title: "Fixed",
        mimeType: "text/plain",
        group: "domains",
      }],
    }),
    "resources/read"({ uri }: { readonly uri: string }) {
      if (!/^haproxy:\/\/(fixed$|echo\/)/.test(uri)) {
        throw new AgentError("NOT_FOUND", `There is no resource ${uri}.`);
      }
      return { mimeType: "text/plain", text: `text of ${uri}` };
    },
    complete: ({ value }: { readonly value: string }) => ({
      values: [`${value}-completed`],
      total: 1,
      hasMore: false,
    }),
    ...more,
  };
  const { port1, port2 } = new MessageChannel();
  let front: Peer<FrontEars> | undefined;
  return {
    port: port1,
    begun,
    aborted,
    /** For the audit log alone. */
    refused,
    /** Reads its port from now on; until then calls wait there, not begun. */
    serve() {
      front = connect<FrontEars>(port2, handlers);
    },
    /** Tells the front room what is different on disk. */
    publish: async (list: boolean, ...updated: string[]) =>
      await front?.call("resourcesChanged", { list, updated }),
    close: () => port2.close(),
  };
}
