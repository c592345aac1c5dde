/** What this user may do with files, as the kernel says it: modes are not all, there are ACLs and read-only mounts. */
import { run } from "./program.ts";

const LOOK_MS = 5_000;
/** Paths of one shell: what a program takes as its arguments is bounded. */
const MAX_PATHS = 2_000;
/** One digit a path: 1 it can be read, 2 written, 4 entered or executed. */
const SCRIPT = `for path; do
  may=0
  [ ! -r "$path" ] || may=$((may + 1))
  [ ! -w "$path" ] || may=$((may + 2))
  [ ! -x "$path" ] || may=$((may + 4))
  echo $may
done`;

export interface Access {
  readonly path: string;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
}

/** Tries nothing, changes nothing. Throws UNSUPPORTED where there is no shell, TIMEOUT. */
export async function accessOf(
  paths: readonly string[],
  signal: AbortSignal,
): Promise<readonly Access[]> {
  const answers: string[] = [];
  for (let i = 0; i < paths.length; i += MAX_PATHS) {
    const some = paths.slice(i, i + MAX_PATHS);
    const args = ["-c", SCRIPT, "sh", ...some];
    const { stdout } = await run("/bin/sh", args, { signal, deadlineMs: LOOK_MS });
    const lines = stdout.split("\n");
    answers.push(...some.map((_, at) => lines[at]));
  }
  return paths.map((path, i) => {
    const may = Number(answers[i]);
    return {
      path,
      readable: (may & 1) !== 0,
      writable: (may & 2) !== 0,
      executable: (may & 4) !== 0,
    };
  });
}
