/** A named pipe where a file should be. */
import { LEASH } from "./leash.ts";

/**
 * Whoever opens it gets `text`, so that a reader who should not have opened it fails the test instead of hanging.
 *
 * @returns ends the writer; the pipe stays
 */
export async function makePipe(path: string, text: string): Promise<AsyncDisposable> {
  await new Deno.Command("mkfifo", { args: ["-m", "600", path] }).output();
  const script = `${LEASH} printf %s "$2" >"$1"`;
  const writer = new Deno.Command("sh", {
    args: ["-c", script, "sh", path, text],
    stdin: "piped",
  }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      await writer.stdin.close();
      await writer.status;
    },
  };
}
