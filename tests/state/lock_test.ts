import assert from "node:assert/strict";
import { join } from "node:path";
import type { AgentError } from "../../lib/errors.ts";
import { fileLock, holdQuietly, type Lock } from "../../lib/state/lock.ts";
import { type TestRoot, testRoot } from "./root.ts";

const SHORT_MS = 50;
const LONG_MS = 20_000;

const openLock = ({ files, paths }: TestRoot, { room = 1, waitMs = LONG_MS } = {}): Lock =>
  fileLock(files, paths.lock, { pid: Deno.pid, room }, waitMs);

/** Somebody holds the lock from when this resolves until `release` is called. */
async function hold(lock: Lock): Promise<{ release(): Promise<void> }> {
  const held = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const done = lock.hold(() => {
    held.resolve();
    return end.promise;
  });
  await Promise.race([held.promise, done]);
  return {
    async release() {
      end.resolve();
      await done;
    },
  };
}

async function timesOut(lock: Lock): Promise<AgentError> {
  try {
    await lock.hold(() => Promise.resolve());
  } catch (cause) {
    const error = cause as AgentError;
    assert.equal(error.code, "TIMEOUT");
    return error;
  }
  assert.fail("the lock was to be had");
}

interface OtherProcess extends AsyncDisposable {
  readonly pid: number;
  release(): Promise<void>;
  kill9(): Promise<void>;
}

/** A process that holds the lock. */
async function otherProcess({ root }: TestRoot, room = 1): Promise<OtherProcess> {
  const script = new URL("./lock_process.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", `--allow-read=${root}`, `--allow-write=${root}`]
      .concat(script, root, String(room)),
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "held\n");
  const gone = async () => {
    await child.status;
    await reader.cancel();
  };
  let ended = false;
  const other: OtherProcess = {
    pid: child.pid,
    async release() {
      ended = true;
      await child.stdin.close();
      await gone();
    },
    async kill9() {
      ended = true;
      child.kill("SIGKILL");
      await gone();
      await child.stdin.close().catch(() => {});
    },
    [Symbol.asyncDispose]: async () => {
      if (!ended) await other.kill9();
    },
  };
  return other;
}

Deno.test("one lock runs its callers one after the other, in their order", async () => {
  await using root = await testRoot();
  const lock = openLock(root);
  const seen: string[] = [];
  await Promise.all([1, 2, 3, 4].map((n) =>
    lock.hold(async () => {
      seen.push(`${n} begins`);
      await root.files.read(root.paths.map);
      seen.push(`${n} ends`);
    })
  ));
  assert.deepEqual(seen, [1, 2, 3, 4].flatMap((n) => [`${n} begins`, `${n} ends`]));
  lock.close();
});

Deno.test("a caller that throws gives the lock back, and the error is the caller's", async () => {
  await using root = await testRoot();
  const lock = openLock(root), other = openLock(root);
  await assert.rejects(lock.hold(() => Promise.reject(new RangeError("mine"))), RangeError);
  await other.hold(() => Promise.resolve());
  assert.equal(await lock.hold(() => Promise.resolve(5)), 5);
  lock.close();
  other.close();
});

Deno.test("two locks on one file in one process shut each other out, 100 callers at once", async () => {
  await using root = await testRoot();
  const locks = [openLock(root), openLock(root, { room: 2 })];
  let inside = 0, most = 0, done = 0;
  await Promise.all(Array.from({ length: 100 }, (_, i) =>
    locks[i % 2].hold(async () => {
      most = Math.max(most, ++inside);
      await root.files.read(root.paths.map);
      inside--;
      done++;
    })));
  assert.deepEqual({ most, done }, { most: 1, done: 100 });
  locks.forEach((lock) => lock.close());
});

Deno.test("a lock held too long is TIMEOUT and names the holder, a room of this process as predecessor", async () => {
  await using root = await testRoot();
  const first = openLock(root, { room: 1 }), second = openLock(root, { room: 2, waitMs: SHORT_MS });
  const held = await hold(first);
  const error = await timesOut(second);
  assert.equal(error.message, `${root.paths.lock} was held for 0.05 s by process ${Deno.pid}.`);
  assert.deepEqual(error.details, { holder: { pid: Deno.pid, room: 1 }, predecessor: true });
  await held.release();
  await second.hold(() => Promise.resolve());
  first.close();
  second.close();
});

Deno.test("the next caller continues a wait that timed out, and gets the lock", async () => {
  await using root = await testRoot();
  const first = openLock(root), second = openLock(root, { waitMs: SHORT_MS });
  const held = await hold(first);
  await timesOut(second);
  await timesOut(second);
  const third = openLock(root, { waitMs: LONG_MS });
  const waiting = third.hold(() => Promise.resolve("got it"));
  await held.release();
  assert.equal(await waiting, "got it");
  assert.equal(await second.hold(() => Promise.resolve("too")), "too");
  [first, second, third].forEach((lock) => lock.close());
});

Deno.test("a lock that comes after the wait timed out is not kept by a process that has no use for it", async () => {
  await using root = await testRoot();
  const first = openLock(root), late = openLock(root, { waitMs: SHORT_MS });
  const held = await hold(first);
  await timesOut(late);
  await held.release();
  // `late` is in front in the kernel's queue and asks for nothing any more.
  await first.hold(() => Promise.resolve());
  await first.hold(() => Promise.resolve());
  first.close();
  late.close();
});

Deno.test("a lock that is closed while it waits does not keep what comes to it", async () => {
  await using root = await testRoot();
  const first = openLock(root), late = openLock(root, { waitMs: SHORT_MS });
  const held = await hold(first);
  await timesOut(late);
  late.close();
  await held.release();
  await first.hold(() => Promise.resolve());
  first.close();
});

Deno.test("the lock shuts another process out until it gives it back, and its holder is named", async () => {
  await using root = await testRoot();
  await using other = await otherProcess(root, 7);
  const lock = openLock(root, { waitMs: SHORT_MS });
  const error = await timesOut(lock);
  assert.ok(error.message.endsWith(`by process ${other.pid}.`), error.message);
  assert.deepEqual(error.details, { holder: { pid: other.pid, room: 7 }, predecessor: false });
  const patient = openLock(root);
  const waiting = patient.hold(() => Promise.resolve("got it"));
  await other.release();
  assert.equal(await waiting, "got it");
  lock.close();
  patient.close();
});

Deno.test("kill -9 of the holder frees the lock", async () => {
  await using root = await testRoot();
  await using other = await otherProcess(root);
  const lock = openLock(root);
  const waiting = lock.hold(() => Promise.resolve("got it"));
  await other.kill9();
  assert.equal(await waiting, "got it");
  lock.close();
});

Deno.test("the holder's name is overwritten whole, and a garbled one is nobody's", async () => {
  await using root = await testRoot();
  const first = openLock(root, { room: 1_000_000 }), second = openLock(root, { waitMs: SHORT_MS });
  await first.hold(() => Promise.resolve());
  await second.hold(() => Promise.resolve());
  assert.deepEqual(JSON.parse(await root.text("data/lock")), { pid: Deno.pid, room: 1 });
  const held = await hold(first);
  await root.write("data/lock", "not a name");
  const error = await timesOut(second);
  assert.equal(error.message, `${root.paths.lock} was held for 0.05 s.`);
  await held.release();
  first.close();
  second.close();
});

Deno.test("a lock whose file was replaced is taken on the new file", async () => {
  await using root = await testRoot();
  const first = openLock(root), second = openLock(root);
  await first.hold(() => Promise.resolve());
  await Deno.remove(root.paths.lock);
  const held = await hold(second);
  let entered = false;
  const waiting = first.hold(() => Promise.resolve(entered = true));
  await root.files.read(root.paths.map);
  assert.equal(entered, false);
  await held.release();
  await waiting;
  first.close();
  second.close();
});

Deno.test("a file replaced while others wait for it lets one in at a time", async () => {
  await using root = await testRoot();
  const first = openLock(root), others = [openLock(root), openLock(root), openLock(root)];
  const held = await hold(first);
  let inside = 0, most = 0;
  const enter = async () => {
    most = Math.max(most, ++inside);
    for (let i = 0; i < 5; i++) await root.files.read(root.paths.map);
    inside--;
  };
  const [one, ...more] = others;
  const waiting = [one.hold(enter)];
  await Deno.rename(root.paths.lock, join(root.root, "data/old"));
  waiting.push(...more.map((lock) => lock.hold(enter)));
  await held.release();
  await Promise.all(waiting);
  assert.equal(most, 1);
  [first, ...others].forEach((lock) => lock.close());
});

Deno.test("holdQuietly leaves no trace: it makes no file, and writes no name into one", async () => {
  await using root = await testRoot();
  const { files, paths: { lock } } = root;
  assert.equal(await holdQuietly(files, lock, LONG_MS, () => Promise.resolve("ran")), "ran");
  await assert.rejects(Deno.stat(lock), Deno.errors.NotFound);
  await Deno.writeTextFile(lock, "somebody's name\n");
  const before = await Deno.stat(lock);
  await holdQuietly(files, lock, LONG_MS, () => Promise.resolve());
  assert.equal(await Deno.readTextFile(lock), "somebody's name\n");
  assert.deepEqual((await Deno.stat(lock)).mtime, before.mtime);
});

Deno.test("holdQuietly keeps others out, is kept out by them, and names who holds the lock", async () => {
  await using root = await testRoot();
  const { files, paths } = root;
  {
    await using other = await otherProcess(root);
    const late = holdQuietly(files, paths.lock, SHORT_MS, () => Promise.resolve());
    await assert.rejects(late, {
      code: "TIMEOUT",
      message: new RegExp(`by process ${other.pid}\\.`),
    });
    await other.release();
  }
  const lock = openLock(root, { waitMs: SHORT_MS });
  await holdQuietly(files, paths.lock, LONG_MS, async () => {
    await timesOut(lock);
  });
  await openLock(root).hold(() => Promise.resolve());
  lock.close();
});
