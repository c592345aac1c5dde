/** Which way to a reload works: the one that HAPROXY_RELOAD names, or the first of all. */
import { type HostSettings, RELOAD_WAYS, type ReloadWay } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import type { HostStatus } from "../../../tools/host_acts.ts";
import type { Look, Way } from "./way.ts";

type Tried = HostStatus["reload"]["tried"];

/** Those that may be used, in the order of trying. */
export function allowedWays(
  { reload }: Pick<HostSettings, "reload">,
  ways: Readonly<Record<ReloadWay, Way>>,
): readonly Way[] {
  return reload === "auto" ? RELOAD_WAYS.map((way) => ways[way]) : [ways[reload]];
}

/** Looks at all of them side by side. */
export async function tryWays(ways: readonly Way[], look: Look): Promise<Tried> {
  return await Promise.all(ways.map(async ({ way, problem }) => tried(way, await problem(look))));
}

/** Throws UNSUPPORTED where none works: details.tried says of each why. */
export async function firstWorking(
  ways: readonly Way[],
  look: Look,
  { masterSocket }: Pick<HostSettings, "masterSocket">,
): Promise<Way> {
  const failed: Tried[number][] = [];
  for (const way of ways) {
    const problem = await way.problem(look);
    if (problem === undefined) return way;
    failed.push(tried(way.way, problem));
  }
  const reasons = failed.map(({ way, problem }) => `${way}: ${problem}`).join("; ");
  const named = failed.length === 1 ? ` HAPROXY_RELOAD=${failed[0].way} allows no other way.` : "";
  throw new AgentError("UNSUPPORTED", `HAProxy can't be reloaded from here: ${reasons}.${named}`, {
    hint: failed.length === 1
      ? "Put that right, or set HAPROXY_RELOAD=auto."
      : `Is HAProxy running? Start it with \`-W -S ${masterSocket},mode,600\`, or let HAPROXY_MASTER or ` +
        "HAPROXY_CONTAINER name it.",
    details: { tried: failed },
  });
}

const tried = (way: ReloadWay, problem: string | undefined): Tried[number] =>
  problem === undefined ? { way } : { way, problem };
