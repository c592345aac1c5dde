/**
 * Another process with the lock of a root: `lock_process.ts ROOT ROOM`. It prints a line once it holds the lock, and
 * gives it back at the end of its stdin.
 */
import { join } from "node:path";
import { openRoot } from "../../lib/sandbox/files.ts";
import { fileLock } from "../../lib/state/lock.ts";

const [root, room] = Deno.args;
const lock = fileLock(
  await openRoot(root),
  join(root, "data/lock"),
  { pid: Deno.pid, room: Number(room) },
  20_000,
);
await lock.hold(async () => {
  console.log("held");
  await Array.fromAsync(Deno.stdin.readable);
});
lock.close();
