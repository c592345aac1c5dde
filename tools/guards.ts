/** What a tool refuses unless it is forced: taking the last healthy server out of a pool that serves a domain. */
import { AgentError } from "../lib/errors.ts";
import { serverName } from "../lib/names/server.ts";
import type { StatRow } from "../lib/runtime/parse.ts";
import type { Desired } from "../lib/state/model.ts";
import type { Guard } from "../lib/transaction/request.ts";
import { usersOf } from "./places.ts";

/**
 * The guard against taking `slot` out of service; undefined where no domain uses the pool. State and weight are those on
 * disk, since the change itself brings the pool in line: what a reload has lost or a hand has set in HAProxy counts for
 * nothing. HAProxy is asked for the verdict of its checks.
 */
export function lastHealthyGuard(desired: Desired, pool: string, slot: number): Guard | undefined {
  if (desired.keysOf(pool).size === 0) return undefined;
  const leaving = serverName(pool, slot);
  const wanted = [...desired.slotsOf(pool)]
    .filter(([, { state, weight }]) => state === "ready" && weight > 0)
    .map(([slot]) => serverName(pool, slot));
  return {
    pool,
    check(rows) {
      const bySlot = new Map(rows.map((row) => [row.svname, row]));
      const healthy = wanted.filter((name) => isUsable(bySlot.get(name)));
      if (!healthy.includes(leaving) || healthy.length > 1) return;
      throw new AgentError(
        "REFUSED",
        `${leaving} is the last healthy server of ${pool}, which serves ${usersOf(desired, pool)}.`,
        {
          hint: "Add or repair another server first, or go on with force=true.",
          details: { server: leaving, pool },
        },
      );
    },
  };
}

/** True unless haproxy.cfg lacks the slot, or checks find its server down. */
function isUsable(row: StatRow | undefined): boolean {
  return row !== undefined && !/^(DOWN|NOLB)\b/.test(row.status ?? "");
}
