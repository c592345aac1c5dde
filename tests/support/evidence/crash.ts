/**
 * One tool's call, ended at each of its points in each way that a machine can fail, and what is left after a new start:
 * the whole change or none of it, on disk as in HAProxy, and never less than the caller was told.
 */
import { join } from "node:path";
import { agentEnv, executable } from "../agent.ts";
import type { Haproxy } from "../haproxy.ts";
import { differences, type View } from "./view.ts";
import type { StoppedCall, Told } from "./stopped_call.ts";

/** What happens at a point, and what the caller hears of it; undefined where the point is none for it. */
type Blow = (point: string, call: StoppedCall, haproxy: Haproxy) => Promise<Told | undefined>;

const isWrite = (point: string) => /^\d+ (write|send)/.test(point);
const isDisk = (point: string) => !/^\d+ (send|await|connect|ask|unlock)/.test(point);

/** In the order of the table's columns. */
export const BLOWS = {
  "agent killed": async (_point, call) => {
    await call.kill();
    return undefined;
  },
  "half written": async (_point, call) => {
    await call.answerAndWait("half");
    await call.kill();
    return undefined;
  },
  "power cut": async (_point, call, haproxy) => {
    await call.answerAndWait("lose");
    await Promise.all([call.kill(), haproxy.kill9()]);
    await haproxy.start();
    return undefined;
  },
  "HAProxy killed": async (_point, call, haproxy) => {
    await haproxy.kill9();
    await call.answer("go");
    const told = await call.told;
    await haproxy.start();
    return told;
  },
  "disk full": async (_point, call) => {
    await call.answer("ENOSPC");
    return await call.told;
  },
  "disk broken": async (_point, call) => {
    await call.answer("EIO");
    return await call.told;
  },
} as const satisfies Record<string, Blow>;

export type BlowName = keyof typeof BLOWS;

export function meets(blow: BlowName, point: string): boolean {
  if (blow === "half written") return isWrite(point);
  if (blow === "disk full" || blow === "disk broken") return isDisk(point);
  return true;
}

export type Verdict = "before" | "after" | "lost" | "half";

/** What one call may leave. */
export interface Expected {
  readonly before: View;
  readonly after: View;
}

/** What is left, judged by what the caller was told. */
export function judge(left: View, { before, after }: Expected, told: Told | undefined): Verdict {
  const isBefore = differences(left, before).length === 0;
  const isAfter = differences(left, after).length === 0;
  if (!isBefore && !isAfter) return "half";
  if (told?.done) return isAfter ? "after" : "lost";
  // Refused is refused whole.
  if (told && told.code !== "OUTCOME_UNKNOWN") return isBefore ? "before" : "half";
  return isAfter ? "after" : "before";
}

/** Starts the agent as its unit would, and ends it once it is up: what was cut off is finished then. */
export async function startAgain(haproxy: Haproxy): Promise<void> {
  const { code, stderr } = await new Deno.Command(executable(), {
    args: ["stdio"],
    clearEnv: true,
    env: agentEnv(haproxy),
    stdin: "null",
  }).output();
  if (code !== 0) throw new Error(`stdio ended with ${code}: ${new TextDecoder().decode(stderr)}`);
}

/** The site as it was: files put back, and a new start of HAProxy, which reads them. */
export async function putBack(haproxy: Haproxy, files: Files): Promise<void> {
  await haproxy.kill9();
  for (const folder of FOLDERS) {
    const path = join(haproxy.root, folder);
    if (!await exists(path)) continue;
    await Deno.remove(path, { recursive: true });
    await Deno.mkdir(path);
  }
  for (const [path, { text, mode }] of files) {
    await Deno.writeTextFile(join(haproxy.root, path), text);
    await Deno.chmod(join(haproxy.root, path), mode);
  }
  await haproxy.start();
}

type Files = ReadonlyMap<string, { readonly text: string; readonly mode: number }>;
const FOLDERS = ["conf", "certs", "data/journal", "data/acme"];

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

/** All that {@linkcode putBack} needs. */
export async function readFiles(haproxy: Haproxy): Promise<Files> {
  const files = new Map<string, { text: string; mode: number }>();
  for (const folder of [...FOLDERS, "data"]) {
    if (!await exists(join(haproxy.root, folder))) continue;
    for await (const { name, isFile } of Deno.readDir(join(haproxy.root, folder))) {
      const path = join(folder, name);
      if (!isFile || /^data\/(test-|lock$|audit|.*\.lock$)/.test(path)) continue;
      const [text, { mode }] = await Promise.all([
        Deno.readTextFile(join(haproxy.root, path)),
        Deno.stat(join(haproxy.root, path)),
      ]);
      files.set(path, { text, mode: mode! & 0o777 });
    }
  }
  return files;
}
