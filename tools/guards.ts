/** What a tool refuses unless it is forced: taking the last healthy server out of a pool that serves a domain. */
import { AgentError } from "../lib/errors.ts";
import { serverName } from "../lib/names/server.ts";
import type { StatRow } from "../lib/runtime/parse.ts";
import type { Desired } from "../lib/state/model.ts";
import type { Guard } from "../lib/transaction/request.ts";
import { usersOf } from "./places.ts";
import { takesRequests } from "./server_rows.ts";

/**
 * The guard against taking `slot` out of service; undefined where no domain uses the pool. A server that HAProxy has lost
 * counts as healthy: the change itself brings the pool in line.
 */
export function lastHealthyGuard(desired: Desired, pool: string, slot: number): Guard | undefined {
  if (desired.keysOf(pool).size === 0) return undefined;
  const leaving = serverName(pool, slot);
  const ready = new Set(
    [...desired.slotsOf(pool)].filter(([, { state }]) => state === "ready")
      .map(([slot]) => serverName(pool, slot)),
  );
  const isLost = ({ svname, status }: StatRow) => ready.has(svname) && status === "MAINT";
  return {
    pool,
    check(rows) {
      const healthy = rows.filter((row) => takesRequests(row) || isLost(row))
        .map((row) => row.svname);
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
