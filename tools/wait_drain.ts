/** Waits until servers that take nothing new have finished what they have. */
import * as z from "zod";
import { AgentError } from "../lib/errors.ts";
import { canonicalIp } from "../lib/names/address.ts";
import { parseDomain } from "../lib/names/domain.ts";
import { type PoolShape, serverName } from "../lib/names/server.ts";
import { pause } from "../lib/pause.ts";
import { showInfo, showServerStat } from "../lib/runtime/commands.ts";
import { parseInfo, parseStat } from "../lib/runtime/parse.ts";
import { texts } from "../lib/runtime/replies.ts";
import type { Desired, Server } from "../lib/state/model.ts";
import { domain, slot, whole } from "./fields.ts";
import type { Host } from "./context.ts";
import type { OldWorkersServer } from "./host_acts.ts";
import { place, poolOf } from "./places.ts";
import { READS, tool } from "./tool.ts";

const LOOK_EVERY_MS = 200;

export const waitDrain = tool({
  name: "haproxy_wait_drain",
  title: "Wait until servers are drained",
  description:
    "Waits until the domain's servers in drain or maint, or the one in slot, have no request left: no " +
    "session and nothing queued (an open websocket counts, an idle connection does not); in workers from before " +
    "a reload too, where HAProxy's master CLI can be asked (old_workers). Sets nothing itself. " +
    "Answers drained=false with what remains when the timeout passes.",
  group: "servers",
  hints: READS,
  deadlineFromTimeout: true,
  input: z.strictObject({
    domain: domain(),
    slot: slot(1).optional(),
    timeout: whole(1, 3600).default(30).describe("Seconds."),
  }),
  output: z.object({
    drained: z.boolean(),
    remaining: z.array(z.object({ server: z.string(), connections: z.int() })),
    waited_s: z.number(),
    old_workers: z.enum(["counted", "not asked", "silent"]).describe(
      "Workers from before a reload: their requests are in remaining, nobody could ask them, or they gave no answer.",
    ),
  }),
  async run({ domain, slot, timeout }, { transactions, runtime, host, shape }, call) {
    const { signal, progress } = call;
    const { pool, servers } = await transactions.read((desired) =>
      watched(desired, domain, slot, shape)
    );
    const names = [...servers.keys()];
    const looks = [showServerStat(pool), showInfo()];
    const start = performance.now();
    const older = oldWorkers(host, pool);
    for (;;) {
      const replies = await runtime.converse((talk) => talk.exchange(looks), { signal });
      const [stat, info] = texts(looks, replies);
      const rows = parseStat(stat);
      const serving = Number(parseInfo(info).Pid);
      const { state, servers: before } = await older.ask(serving, signal);
      const remaining = [...servers].map(([server, { ip, httpPort }]) => {
        const row = rows.find(({ svname }) => svname === server);
        // In a slot of theirs, which may be another by now.
        const theirs = before.filter((one) => canonicalIp(one.ip) === ip && one.port === httpPort);
        const connections = Number(row?.scur ?? 0) + Number(row?.qcur ?? 0) +
          theirs.reduce((sum, { requests }) => sum + requests, 0);
        return { server, connections };
      }).filter(({ connections }) => connections > 0);
      const waited_s = Math.round((performance.now() - start) / 100) / 10;
      const drained = remaining.length === 0 && state !== "silent";
      const open = remaining.length > 0 ? listed(remaining) : older.why;
      if (drained || waited_s >= timeout) {
        const result = drained
          ? `${names.join(", ")}: drained after ${waited_s} s.`
          : `Not drained after ${waited_s} s: ${open}.`;
        return {
          text: state === "not asked" ? `${result} ${NOT_ASKED}: ${older.why}` : result,
          structured: { drained, remaining, waited_s, old_workers: state },
        };
      }
      progress({ progress: waited_s, total: timeout, message: open });
      await pause(Math.min(LOOK_EVERY_MS, timeout * 1000 - (performance.now() - start)), signal);
    }
  },
});

const NOT_ASKED = "Workers from before a reload were not asked";

interface OldWorkers {
  readonly state: "counted" | "not asked" | "silent";
  readonly servers: readonly OldWorkersServer[];
}

/** Who can't be reached at first is not asked again; who falls silent later has to answer before anything is drained. */
function oldWorkers(host: Host, pool: string) {
  let reached = false;
  let why = "";
  let state: OldWorkers["state"] = "counted";
  return {
    /** Why they were not asked, or are silent. */
    get why() {
      return why;
    },
    async ask(serving: number, signal: AbortSignal): Promise<OldWorkers> {
      if (state === "not asked") return { state, servers: [] };
      try {
        const servers = await host.call("requestsOfOldWorkers", { pool, serving }, { signal });
        reached = true;
        state = "counted";
        return { state, servers };
      } catch (cause) {
        const { code, message } = AgentError.from(cause);
        if (!UNANSWERED.has(code) || signal.aborted) throw cause;
        why = message;
        state = reached || code === "TIMEOUT" ? "silent" : "not asked";
        return { state, servers: [] };
      }
    },
  };
}

const UNANSWERED = new Set(["UNSUPPORTED", "HAPROXY_UNREACHABLE", "TIMEOUT"]);

interface Watched {
  readonly pool: string;
  /** By their names, in order. */
  readonly servers: ReadonlyMap<string, Server>;
}

function watched(
  desired: Desired,
  domain: string,
  slot: number | undefined,
  shape: PoolShape,
): Watched {
  const parsed = parseDomain(domain);
  if (slot !== undefined) {
    const { pool, name, server } = place(desired, { domain, slot }, shape);
    if (server.state === "ready") throw stillReady(`${name} is ready, so new requests keep coming`);
    return { pool, servers: new Map([[name, server]]) };
  }
  const pool = poolOf(desired, parsed, shape);
  const leaving = [...desired.slotsOf(pool)].filter(([, { state }]) => state !== "ready");
  if (leaving.length === 0) throw stillReady(`${parsed.name} has no server in drain or maint`);
  const named = leaving.map(([slot, server]) => [serverName(pool, slot), server] as const);
  return { pool, servers: new Map(named.sort(([a], [b]) => a < b ? -1 : 1)) };
}

function stillReady(what: string): AgentError {
  return new AgentError("VALIDATION", `${what}.`, {
    hint: "Set it to drain first: haproxy_set_server_state or haproxy_set_domain_state.",
  });
}

const listed = (remaining: readonly { server: string; connections: number }[]) =>
  remaining.map(({ server, connections }) => `${server} has ${connections}`).join(", ");
