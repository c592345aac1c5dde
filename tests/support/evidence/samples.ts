/** What more than one reader is tried on. */

import { renderServerStateFile } from "../../../lib/state/server_state_file.ts";

/** `show servers state`, and what HAProxy reads at its start. */
export const SERVERS_STATE = [
  renderServerStateFile([[
    "pool_1",
    new Map([[1, {
      ip: "10.0.0.1",
      httpPort: 80,
      weight: 7,
      state: "drain",
    }]]),
  ]]),
];
