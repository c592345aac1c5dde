/** A file that is missing although others speak of it: taken for an empty one, its loss would empty HAProxy. */
import { AgentError } from "../errors.ts";
import type { Files } from "../config.ts";
import { poolNumber, type PoolShape } from "../names/server.ts";
import type { JournalContent } from "./journal.ts";

/** servers.json where it is missing: empty at the very first start. Throws STATE_CORRUPT where the map uses a pool. */
export function missingServers(
  { map, servers }: Files,
  backends: Iterable<string>,
  shape: PoolShape,
): string {
  for (const backend of backends) {
    if (poolNumber(backend, shape) === undefined) continue;
    throw new AgentError("STATE_CORRUPT", `${servers} is missing, and ${map} uses ${backend}.`, {
      hint: "Put it back, or write {} into it if the pools are to be empty. Nothing was changed.",
    });
  }
  return "{}";
}

/**
 * Throws STATE_CORRUPT for a map that is missing where there are servers. But a very first checkpoint that was cut off
 * has servers.json in place, and the map's lines still in the journal.
 */
export function assertMapMayBeMissing(
  { map, servers }: Files,
  hasServers: boolean,
  { done, open, doubtful }: JournalContent,
): void {
  const isMade = [...done, ...open, ...doubtful].some(({ changes }) =>
    changes.some(({ kind }) => kind === "map")
  );
  if (!hasServers || isMade) return;
  throw new AgentError("STATE_CORRUPT", `${map} is missing, and ${servers} has servers.`, {
    hint: "Put it back, or make an empty one if no domain is to be routed. Nothing was changed.",
  });
}
