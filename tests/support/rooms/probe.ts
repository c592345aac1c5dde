/** What code in a room could try to reach beyond its room. Each attempt answers ALLOWED, DENIED, or what else stopped it. */
import { type Attempts, Hidden, type ProbeTarget } from "./probes/attempt.ts";
import { engine, streams } from "./probes/engine.ts";
import { dotted, files, links, modules, nodeFiles } from "./probes/files.ts";
import { names, network, nodeNetwork, spellings } from "./probes/network.ts";
import { environment, machine, processes, programs, questions } from "./probes/system.ts";
import { systemFiles } from "./probes/system_files.ts";
import { workers } from "./probes/workers.ts";

export type { ProbeTarget } from "./probes/attempt.ts";

const KINDS = {
  files,
  dotted,
  links,
  nodeFiles,
  modules,
  systemFiles,
  network,
  names,
  spellings,
  nodeNetwork,
  programs,
  environment,
  machine,
  processes,
  questions,
  workers,
  engine,
  streams,
} satisfies Record<string, (target: ProbeTarget) => Attempts>;
export type Kind = keyof typeof KINDS;

/**
 * Makes every attempt of these kinds, one after the other, each for two seconds at most.
 *
 * @param before each of them
 */
export async function probe(
  target: ProbeTarget & { readonly kinds?: readonly string[] },
  before: () => unknown = () => {},
): Promise<Record<string, string>> {
  const results: Record<string, string> = {};
  for (const kind of target.kinds ?? Object.keys(KINDS)) {
    for (const [name, attempt] of Object.entries(KINDS[kind as Kind](target) as Attempts)) {
      if (name in results) throw new Error(`Two attempts are called ${name}.`);
      await before();
      results[name] = await outcome(attempt);
    }
  }
  return results;
}

/** All of them, for who leaves some out. */
export const allKinds = Object.keys(KINDS) as Kind[];

async function outcome(attempt: () => unknown): Promise<string> {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new DOMException("No answer.", "TimeoutError")), 2_000);
  // Some of node: throw their denial past every handler, in a later turn, which would end the room.
  const onLoose = (event: ErrorEvent | PromiseRejectionEvent) => {
    event.preventDefault();
    reject("error" in event ? event.error : event.reason);
  };
  globalThis.addEventListener("error", onLoose);
  globalThis.addEventListener("unhandledrejection", onLoose);
  try {
    await Promise.race([attempt(), failed]);
    await Promise.race([turn(), failed]);
    return "ALLOWED";
  } catch (cause) {
    await turn();
    return isDenial(cause) ? "DENIED" : String(cause);
  } finally {
    clearTimeout(timer);
    globalThis.removeEventListener("error", onLoose);
    globalThis.removeEventListener("unhandledrejection", onLoose);
  }
}

/** The room has to answer its pings meanwhile, too. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

/** What says so in other words than NotCapable. That nothing went out is seen by the test from outside. */
const REFUSALS = [
  // The module loader.
  /Requires (read|import) access/,
  /^Module not found: (https?|jsr|blob):/,
  /^Importing ext: modules is only allowed/,
  /is not a valid module type/,
  /^Could not find constraint/,
  // node:net and node:dns.
  /^connect (ECONNREFUSED|UNKNOWN|EPERM|EACCES)/,
  /^get(addr|name)info E(PERM|NOTFOUND)/,
  /^query\w+ UNKNOWN/,
  /^invalid host/,
  // node:sqlite.
  /^too many attached databases - max 0/,
  // What there is in name only.
  /^Not implemented/,
  /is (not available in this context|currently not supported|not supported in workers)/,
  // Its own way to open a folder.
  /^uvwasi_init: failed to open preopen/,
];

function isDenial(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  if (cause.name === "NotCapable" || cause instanceof Hidden) return true;
  return REFUSALS.some((words) => words.test(cause.message));
}
