/** haproxy_health: the agent, HAProxy, the files, and whether they agree. Answers also where HAProxy does not. */
import * as z from "zod";
import project from "../deno.json" with { type: "json" };
import { AgentError } from "../lib/errors.ts";
import { domainOfKey } from "../lib/names/domain.ts";
import { readProcesses } from "../lib/reconcile/processes.ts";
import { findEscapes } from "../lib/sandbox/guard.ts";
import type { ToolContext } from "./context.ts";
import {
  certificatesComponent,
  type Components,
  containerComponent,
  filesComponent,
  haproxyComponent,
  healthOutput,
  overall,
  reloadComponent,
  type Running,
  type Settled,
  syncComponent,
} from "./health_components.ts";
import type { HostStatus } from "./host_acts.ts";
import type { HaproxyProcess } from "../lib/runtime/process.ts";
import { isHealthy, isWanted, readBackends } from "./server_rows.ts";
import { READS, tool } from "./tool.ts";

/** Main bounds its own looks; this is for a main that is busy. */
const HOST_MS = 8_000;

export const health = tool({
  name: "haproxy_health",
  title: "Health of the system",
  description:
    "The state of the whole: the agent, HAProxy (process, servers, domains that are down), the files, the container, " +
    "certificates, whether HAProxy holds what the files say (sync), and how a reload would be done.",
  group: "health",
  hints: READS,
  input: z.strictObject({}),
  output: healthOutput,
  async run(_, context, { signal }) {
    const [host, files, running, entries, escapes] = await Promise.all([
      askHost(context, signal),
      context.transactions.files(),
      settled(context, signal),
      // What keeps it from being read is among the files' problems.
      context.issuer.inventory.all({ askHaproxy: false }).catch(() => []),
      findEscapes(context.files.root).catch(() => []),
    ]);
    const components: Components = {
      mcp: {
        status: "ok",
        message: `haproxy-mcp ${project.version}, process ${context.pid}${
          context.readOnly ? ", read-only" : ""
        }`,
        version: project.version,
        pid: context.pid,
        read_only: context.readOnly,
      },
      haproxy: haproxyComponent(context.runtime.address, running),
      config_files: filesComponent(context.paths, host, { ...files, escapes }, running),
      container: containerComponent(host),
      certificates: certificatesComponent(files, entries),
      sync: syncComponent(running),
      reload: reloadComponent(host),
    };
    const status = overall(components);
    const lines = Object.entries(components).map(([name, { status, message }]) =>
      `${name.padEnd(12)}  ${status.padEnd(8)}  ${message}`
    );
    return { text: [status, ...lines].join("\n"), structured: { status, components } };
  },
});

async function settled(context: ToolContext, signal: AbortSignal): Promise<Settled> {
  let processes: readonly HaproxyProcess[] = [];
  try {
    processes = await readProcesses(context.runtime);
    return { processes, value: await lookAtHaproxy(context, signal) };
  } catch (cause) {
    const error = AgentError.from(cause);
    // A caller that has gone needs no answer.
    if (error.code === "CANCELLED") throw error;
    return { processes, error };
  }
}

async function lookAtHaproxy(context: ToolContext, signal: AbortSignal): Promise<Running> {
  const backends = await readBackends(context, signal);
  const drift = await context.transactions.drift(signal);
  const healthy = new Set(backends.servers.filter(isHealthy).map(({ backend }) => backend));
  const filled = new Set(backends.servers.map(({ backend }) => backend));
  const wanted = new Set(backends.servers.filter(isWanted).map(({ backend }) => backend));
  const known = new Set(backends.backends.map(({ pxname }) => pxname));
  return await context.transactions.read((desired) => {
    const domainsOf = (isMeant: (backend: string) => boolean) =>
      [...desired.backends()].filter(isMeant)
        .flatMap((backend) => desired.keysOf(backend).values().map(domainOfKey).toArray());
    return {
      backends,
      drift,
      domainsDown: domainsOf((backend) => wanted.has(backend) && !healthy.has(backend)),
      domainsOff: domainsOf((backend) =>
        filled.has(backend) && !wanted.has(backend) && !healthy.has(backend)
      ),
      domainsAstray: domainsOf((backend) => !known.has(backend)),
    };
  });
}

async function askHost(
  { host }: ToolContext,
  signal: AbortSignal,
): Promise<HostStatus | AgentError> {
  try {
    return await host.call("hostStatus", undefined, { signal, deadlineMs: HOST_MS });
  } catch (cause) {
    const error = AgentError.from(cause);
    if (error.code === "CANCELLED") throw error;
    return error;
  }
}
