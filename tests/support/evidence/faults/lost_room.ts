/** A call to a running agent of the test build whose tools room comes to its end at one of the call's points. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Serve, startServe, testExecutable } from "../../agent.ts";
import type { Haproxy } from "../../haproxy.ts";
import { type Answer, POINTS_FILES } from "../../rooms/points.ts";
import { END_ROOM, type RoomEnd } from "../../rooms/room_ends.ts";
import type { Expected } from "../crash.ts";
import type { Told } from "../stopped_call.ts";
import type { Change } from "../site.ts";
import { callerOf, type Settled, settledBy } from "./settle.ts";

export const ROOM_ENDS = Object.keys(END_ROOM) as RoomEnd[];

export interface LostRoomResult extends Settled {
  /** undefined: the process ended, and nobody was told anything. */
  readonly told?: Told;
  /** Another caller was answered, by this process or by the next one. */
  readonly othersServed: boolean;
  /** The point that it ended at; undefined: the call had ended before. */
  readonly point?: string;
  readonly log: string;
}

/** Enough for the agent, and soon reached by a room that eats. */
const MEMORY_KB = 2_200_000;
const LIMITED = ["sh", "-c", `ulimit -d ${MEMORY_KB} && exec "$@"`, "sh"];
/** Until a room is found lost, replaced and has taken the lock, or the process has ended. */
const LOST_MS = 20_000;

/** A call of a running agent to its end; the number of its points. */
export async function countPoints(haproxy: Haproxy, call: Change): Promise<number> {
  await using agent = await startServe(haproxy, { program: testExecutable() });
  const ask = await callerOf(agent);
  await Deno.writeTextFile(join(haproxy.root, POINTS_FILES.order), JSON.stringify({ at: 0 }));
  const { done, text } = await ask(call);
  if (!done) throw new Error(`${call.tool}: ${text}`);
  const log = await Deno.readTextFile(join(haproxy.root, POINTS_FILES.log));
  await clearPoints(haproxy);
  return log.trimEnd().split("\n").length;
}

async function clearPoints({ root }: Haproxy): Promise<void> {
  for (const file of Object.values(POINTS_FILES)) {
    await Deno.remove(join(root, file)).catch(() => {});
  }
}

/** @param at the point, counted from 1 from the call on; the agent's own looks at HAProxy count as well */
export async function endRoomAt(
  haproxy: Haproxy,
  call: Change,
  { end, at }: { readonly end: RoomEnd; readonly at: number },
  expected: Expected,
): Promise<LostRoomResult> {
  const path = (name: keyof typeof POINTS_FILES) => join(haproxy.root, POINTS_FILES[name]);
  await clearPoints(haproxy);
  const program = testExecutable();
  const wrapper = end === "eats memory" ? LIMITED : [];
  await using agent = await startServe(haproxy, { program, wrapper });
  const ask = await callerOf(agent);
  await Deno.writeTextFile(path("order"), JSON.stringify({ at }));
  let settled = false;
  const told = ask(call).catch(() => undefined).finally(() => settled = true);
  try {
    const point = await standing(path("point"), () => settled);
    // Those that come after this room are not to stand still.
    await Deno.remove(path("order"));
    if (point === undefined) {
      const answer = await told;
      return {
        ...await settledBy(haproxy, expected, answer),
        told: answer,
        othersServed: true,
        log: agent.log(),
      };
    }
    const answer: Answer = end;
    await Deno.writeTextFile(`${path("answer")}.new`, answer);
    await Deno.rename(`${path("answer")}.new`, path("answer"));
    const { served, successor } = await servedAfter(haproxy, agent);
    await using _next = successor;
    const heard = await Promise.race([told, agent.ended.then(() => undefined)]);
    return {
      ...await settledBy(haproxy, expected, heard),
      ...(heard && { told: heard }),
      othersServed: served,
      point,
      log: agent.log() + (successor?.log() ?? ""),
    };
  } finally {
    await clearPoints(haproxy);
  }
}

async function standing(file: string, ended: () => boolean): Promise<string | undefined> {
  for (const end = performance.now() + LOST_MS; performance.now() < end; await delay(1)) {
    const point = await Deno.readTextFile(file).catch(() => undefined);
    if (point !== undefined || ended()) return point;
  }
  throw new Error("the call neither ends nor stands still");
}

/** Another caller's read; where the process has ended, one of the next process, which its unit would start. */
async function servedAfter(
  haproxy: Haproxy,
  agent: Serve,
): Promise<{ readonly served: boolean; readonly successor?: Serve }> {
  const read = async (one: Serve) =>
    (await (await callerOf(one))({ tool: "haproxy_list_domains", args: {} })).done;
  const over = new AbortController();
  const late = delay(LOST_MS, "late" as const, { signal: over.signal }).catch(() =>
    "late" as const
  );
  const first = await Promise.race([
    read(agent).catch(() => "ended" as const),
    agent.ended.then(() => "ended" as const),
    late,
  ]);
  over.abort();
  if (first === "late") return { served: false };
  if (first !== "ended") return { served: first };
  await agent.ended;
  const successor = await startServe(haproxy, { program: testExecutable() });
  return { served: await read(successor), successor };
}
