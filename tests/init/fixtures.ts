/** What these tests put into HAProxy's files by hand: `init` has to read them without any agent. */
import type { Backend } from "../support/backend.ts";

/** srv_admin_state of a slot that the config disables: 4, with 8 for drain, with 1 for maint. */
const ADMIN_STATE = { ready: 4, drain: 12, maint: 5 } as const;

export interface StateLine {
  readonly pool: number;
  readonly slot: number;
  readonly server: Pick<Backend, "address" | "port">;
  /** @default {1} */
  readonly weight?: number;
  /** @default {"ready"} */
  readonly state?: keyof typeof ADMIN_STATE;
}

/** A server-state-file of version 1 with these servers. */
export function serverState(lines: readonly StateLine[]): string {
  const servers = lines.map(({ pool, slot, server, weight = 1, state = "ready" }) => {
    const running = state === "maint" ? 0 : 2;
    return `0 pool_${pool} 0 pool_${pool}_${slot} ${server.address} ${running} ${
      ADMIN_STATE[state]
    } ${weight} 1 0 1 0 3 6 0 0 0 slot.invalid ${server.port} - 0 0 - - 0\n`;
  });
  return `1\n# by hand\n${servers.join("")}`;
}
