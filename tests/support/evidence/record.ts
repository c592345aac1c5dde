/**
 * What the tests prove, counted. Where HAPROXY_MCP_EVIDENCE names a file, each record becomes a line of it, and
 * scripts/evidence.ts makes tables of them; without it nothing is written.
 *
 *     record("Crash points", "haproxy_add_domain", { "agent killed": 31, lost: 0, half: 0 });
 */
export interface EvidenceRecord {
  readonly table: string;
  readonly row: string;
  /** Numbers of the same cell add up. */
  readonly counts: Readonly<Record<string, number>>;
}

export function record(table: string, row: string, counts: EvidenceRecord["counts"]): void {
  const file = Deno.env.get("HAPROXY_MCP_EVIDENCE");
  if (!file) return;
  const line: EvidenceRecord = { table, row, counts };
  Deno.writeTextFileSync(file, `${JSON.stringify(line)}\n`, { append: true, create: true });
}

/** How much of it is wanted: a share that a test run has time for, or all of it (scripts/soak.sh). */
export const FULL = Deno.env.get("HAPROXY_MCP_EVIDENCE_FULL") === "1";

/**
 * Where a random run starts from: HAPROXY_MCP_SEED, else another one each time. Printed, as a failure can only be seen
 * again with it.
 */
export function seedFor(what: string): number {
  const given = Deno.env.get("HAPROXY_MCP_SEED");
  const seed = given ? Number(given) : crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;
  console.log(`${what}: HAPROXY_MCP_SEED=${seed}`);
  return seed;
}

/** Numbers from 0 to below 1, the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/** So many of them, or all where there are no more, spread over all. */
export function sample<T>(all: readonly T[], count: number, random: () => number): T[] {
  const share = all.length / count;
  if (share <= 1) return [...all];
  return Array.from({ length: count }, (_, i) => all[Math.floor((i + random()) * share)]);
}
