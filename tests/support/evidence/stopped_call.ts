/**
 * A shell call of the test build that stands still at one of its points (tests/support/rooms/points.ts), for the test to
 * do there what it likes.
 *
 *     await using call = await callUntil(haproxy, "haproxy_add_domain", { domain: "a.test" }, 7);
 *     if (call.point) await call.kill();
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { agentEnv, testExecutable } from "../agent.ts";
import type { Haproxy } from "../haproxy.ts";
import { LEASH } from "../leash.ts";
import { type Answer, POINTS_FILES, type PointsOrder } from "../rooms/points.ts";

/** What the caller was told. */
export interface Told {
  /** The tool answered, and no error. */
  readonly done: boolean;
  /** The error's code. */
  readonly code?: string;
  /** What was printed. */
  readonly text: string;
}

export interface StoppedCall extends AsyncDisposable {
  /** Where it stands, `7 fsync /…/changes.jsonl`; undefined: it has ended before that point. */
  readonly point?: string;
  /** Lets it go on. */
  answer(answer: Exclude<Answer, "half" | "lose">): Promise<void>;
  /** Lets it go on, and resolves when it stands still for the second time. */
  answerAndWait(answer: "half" | "lose"): Promise<void>;
  /** kill -9, and nobody was told anything. */
  kill(): Promise<void>;
  /** Once it has ended by itself. */
  readonly told: Promise<Told>;
}

const PATIENCE = 20_000;

/** @param at the point, counted from 1 from the start of the process; 0: it runs to its end */
export async function callUntil(
  haproxy: Haproxy,
  tool: string,
  args: object,
  order: PointsOrder,
  env: Readonly<Record<string, string>> = {},
  words: readonly string[] = ["call", tool, "--json", "--args", JSON.stringify(args)],
): Promise<StoppedCall> {
  const path = (name: keyof typeof POINTS_FILES) => join(haproxy.root, POINTS_FILES[name]);
  for (const name of ["point", "answer", "log"] as const) {
    await Deno.remove(path(name)).catch(() => {});
  }
  await Deno.writeTextFile(path("order"), JSON.stringify(order));
  const child = new Deno.Command("sh", {
    args: ["-c", `${LEASH} exec "$@" </dev/null`, "sh", testExecutable(), ...words],
    clearEnv: true,
    env: { ...agentEnv(haproxy), ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let ended = false;
  const output = Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.status.then(async ({ code }) => {
      ended = true;
      await child.stdin.close();
      return code;
    }),
  ]);

  async function standing(): Promise<string | undefined> {
    for (const end = Date.now() + PATIENCE; Date.now() < end; await delay(1)) {
      const point = await Deno.readTextFile(path("point")).catch(() => undefined);
      if (point !== undefined) return point;
      if (ended) return undefined;
    }
    throw new Error(`${tool} neither ends nor stands still`);
  }

  /** Written beside and renamed, so that it is read whole. */
  async function answer(text: Answer): Promise<void> {
    await Deno.writeTextFile(`${path("answer")}.new`, text);
    await Deno.rename(`${path("answer")}.new`, path("answer"));
  }

  async function answerAndWait(text: "half" | "lose"): Promise<void> {
    const before = await standing();
    await answer(text);
    for (let now = before; now === before;) now = await standing();
  }

  async function kill(): Promise<void> {
    if (!ended) child.kill("SIGKILL");
    await output;
  }

  try {
    return {
      point: await standing(),
      answer,
      answerAndWait,
      kill,
      told: output.then(([stdout, stderr, code]) => {
        const error = /"code":"([A-Z_]+)"/.exec(stdout)?.[1];
        return {
          done: code === 0,
          text: stdout || stderr,
          ...(code !== 0 && error && { code: error }),
        };
      }),
      async [Symbol.asyncDispose]() {
        await kill();
        for (const name of ["order", "point", "answer"] as const) {
          await Deno.remove(path(name)).catch(() => {});
        }
      },
    };
  } catch (cause) {
    await kill();
    throw cause;
  }
}

/** The names of all points of the last call, in their order. */
export async function pointsPassed(haproxy: Haproxy): Promise<string[]> {
  const log = await Deno.readTextFile(join(haproxy.root, POINTS_FILES.log));
  return log.trimEnd().split("\n");
}
