/** Looks who answers where `serve` would listen, and whether it takes the names that HAProxy leads to it. */
import type { Settings } from "../config.ts";
import { AgentError } from "../errors.ts";
import type { Looked } from "../looked.ts";
import { domainOfKey } from "../names/domain.ts";
import { allowedHosts, machineAddresses } from "../supervisor/allowed_hosts.ts";
import { probe } from "../supervisor/host/http_probe.ts";
import type { Examination } from "../../tools/examine.ts";
import { agentBackends, agentNames } from "./agent.ts";
import type { ServeSeen } from "./seen.ts";

const PROBE_MS = 3_000;
const MAX_NAMES = 20;

/** Throws UNSUPPORTED where nobody can know the port. */
export async function lookAtServe(
  { front }: Pick<Settings, "front">,
  config: Looked<string>,
  room: Looked<Examination>,
): Promise<ServeSeen> {
  const { host, port } = front;
  if (port === 0) throw new AgentError("UNSUPPORTED", "MCP_PORT=0 is any port that is free");
  const address = { host: { "0.0.0.0": "127.0.0.1", "::": "::1" }[host] ?? host, port };
  const names = "value" in config ? namesOf(config.value, port, room) : [];
  const ask = (path: string, as?: string) =>
    probe(address, { path, as, signal: AbortSignal.timeout(PROBE_MS) });

  const health = await ask("/healthz").catch((cause) =>
    isRefused(cause) ? "nobody" as const : "silent" as const
  );
  if (health === "silent") return { who: health, ready: false, names, refused: [] };
  if (health === "nobody") {
    const allowed = allowedHosts(front, machineAddresses());
    return {
      who: "nobody",
      ready: false,
      names,
      refused: names.filter((n) => !allowed.includes(n)),
    };
  }
  if (health?.status !== 200 || !/^x-request-id: /im.test(health.text)) {
    return { who: "stranger", ready: false, names, refused: [] };
  }
  const ready = (await ask("/readyz").catch(() => undefined))?.status === 200;
  const answers = await Promise.all(
    names.map(async (name) => ({ name, answer: await ask("/mcp", name).catch(() => undefined) })),
  );
  const refused = answers.filter(({ answer }) => answer?.status === 403).map(({ name }) => name);
  return { who: "serve", ready, names, refused };
}

const isRefused = (cause: unknown) => cause instanceof Deno.errors.ConnectionRefused;

/** By conditions of haproxy.cfg, and by lines of the map. */
function namesOf(config: string, port: number, room: Looked<Examination>): readonly string[] {
  const backends = agentBackends(config, port);
  const files = "value" in room ? room.value.files : room;
  const routes = "value" in files ? files.value.routes : files;
  const mapped = "value" in routes
    ? routes.value.filter(([backend]) => backends.includes(backend))
      .flatMap(([, keys]) => keys.filter((key) => !key.startsWith(".")).map(domainOfKey))
    : [];
  return [...new Set([...agentNames(config, port), ...mapped])].slice(0, MAX_NAMES);
}
