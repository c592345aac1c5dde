/** Waits until servers that take nothing new have finished what they have. */
import { z } from "zod";
import { AgentError } from "../lib/errors.ts";
import { parseDomain } from "../lib/names/domain.ts";
import { type PoolShape, serverName } from "../lib/names/server.ts";
import { pause } from "../lib/pause.ts";
import { showServerStat } from "../lib/runtime/commands.ts";
import { parseStat } from "../lib/runtime/parse.ts";
import { texts } from "../lib/runtime/replies.ts";
import type { Desired } from "../lib/state/model.ts";
import { domain, slot, whole } from "./fields.ts";
import { place, poolOf } from "./places.ts";
import { READS, tool } from "./tool.ts";

const LOOK_EVERY_MS = 200;

export const waitDrain = tool({
  name: "haproxy_wait_drain",
  title: "Wait until servers are drained",
  description:
    "Waits until the domain's servers in drain or maint, or the one in slot, have no request left: no " +
    "session and nothing queued (an open websocket counts, an idle connection does not). Sets nothing itself. " +
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
  }),
  async run({ domain, slot, timeout }, { transactions, runtime, shape }, { signal, progress }) {
    const { pool, names } = await transactions.read((desired) =>
      watched(desired, domain, slot, shape)
    );
    const look = showServerStat(pool);
    const start = performance.now();
    for (;;) {
      const replies = await runtime.converse((talk) => talk.exchange([look]), { signal });
      const remaining = parseStat(texts([look], replies)[0])
        .filter((row) => names.includes(row.svname))
        .map((row) => ({ server: row.svname, connections: Number(row.scur) + Number(row.qcur) }))
        .filter(({ connections }) => connections > 0);
      const waited_s = Math.round((performance.now() - start) / 100) / 10;
      if (remaining.length === 0 || waited_s >= timeout) {
        return {
          text: remaining.length === 0
            ? `${names.join(", ")}: drained after ${waited_s} s.`
            : `Not drained after ${waited_s} s: ${listed(remaining)}.`,
          structured: { drained: remaining.length === 0, remaining, waited_s },
        };
      }
      progress({ progress: waited_s, total: timeout, message: listed(remaining) });
      await pause(Math.min(LOOK_EVERY_MS, timeout * 1000 - (performance.now() - start)), signal);
    }
  },
});

function watched(desired: Desired, domain: string, slot: number | undefined, shape: PoolShape) {
  const parsed = parseDomain(domain);
  if (slot !== undefined) {
    const { pool, name, server } = place(desired, { domain, slot }, shape);
    if (server.state === "ready") throw stillReady(`${name} is ready, so new requests keep coming`);
    return { pool, names: [name] };
  }
  const pool = poolOf(desired, parsed, shape);
  const leaving = [...desired.slotsOf(pool)].filter(([, { state }]) => state !== "ready");
  if (leaving.length === 0) throw stillReady(`${parsed.name} has no server in drain or maint`);
  return { pool, names: leaving.map(([slot]) => serverName(pool, slot)).sort() };
}

function stillReady(what: string): AgentError {
  return new AgentError("VALIDATION", `${what}.`, {
    hint: "Set it to drain first: haproxy_set_server_state or haproxy_set_domain_state.",
  });
}

const listed = (remaining: readonly { server: string; connections: number }[]) =>
  remaining.map(({ server, connections }) => `${server} has ${connections}`).join(", ");
