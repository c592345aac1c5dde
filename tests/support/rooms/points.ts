/**
 * Points: each system call by which the tools room changes something or speaks to HAProxy can be made to wait for a test,
 * which then kills whom it likes, fills the disk, or has the call fail.
 *
 * The test writes `data/test-points.json`, {@linkcode PointsOrder}. At the point that it names the room writes the point's
 * name to `data/test-point` and stands still, all of it, until `data/test-answer` holds an {@linkcode Answer}.
 */
import { dirname, join } from "node:path";
import type { Port } from "../../../lib/rpc/mod.ts";
import { END_ROOM, type RoomEnd } from "./room_ends.ts";

export interface PointsOrder {
  /** The point to wait at, counted from 1 from the start of the room; 0: only count. */
  readonly at: number;
  /** Counts failing reads of files, too. */
  readonly reads?: boolean;
}

/**
 * `go`: the call is made. `half`: of a write half of it, then the room waits again. `lose`: what was not fsynced is taken
 * back, as after a power cut, then it waits again. A code: the call fails with it. Or the room ends there.
 */
export type Answer = "go" | "half" | "lose" | "ENOSPC" | "EIO" | RoomEnd;

export const POINTS_FILES = {
  order: "data/test-points.json",
  point: "data/test-point",
  answer: "data/test-answer",
  log: "data/test-points.log",
} as const;

const MESSAGES = {
  ENOSPC: "No space left on device (os error 28)",
  EIO: "Input/output error (os error 5)",
} as const;

/** What the points are made with; their own use of files is none. */
const real = { ...Deno };
const fileMethods = { ...methodsOf(Deno.FsFile.prototype) };
const paths = new WeakMap<object, string>();

let root: string | undefined;
let passed = 0;

/**
 * Patches this room's Deno. Without an order in the root nothing is other than it was.
 *
 * @param scope the worker's own
 */
export function installPoints(scope: Pick<Port, "postMessage">): void {
  const unsynced = openUnsynced();

  /** Waits where it is told to; `half` and the failing codes are the caller's to carry out. */
  function point(name: string, path?: string): Answer {
    root ??= rootOf(path);
    const order = root === undefined ? undefined : readOrder(root);
    if (!order || (name.startsWith("read ") && !order.reads)) return "go";
    passed += 1;
    const label = `${passed} ${name}`;
    real.writeTextFileSync(join(root!, POINTS_FILES.log), `${label}\n`, { append: true });
    if (passed !== order.at) return "go";
    const answer = wait(label);
    if (answer !== "lose") return answer;
    unsynced.takeBack();
    return wait(`${label}, lost`);
  }

  function wait(label: string): Answer {
    const [shown, told] = [join(root!, POINTS_FILES.point), join(root!, POINTS_FILES.answer)];
    real.writeTextFileSync(`${shown}.new`, label);
    real.renameSync(`${shown}.new`, shown);
    const cell = new Int32Array(new SharedArrayBuffer(4));
    for (;;) {
      Atomics.wait(cell, 0, 0, 1);
      const answer = readText(told);
      if (answer === undefined) continue;
      real.removeSync(told);
      real.removeSync(shown);
      if (Object.hasOwn(END_ROOM, answer)) END_ROOM[answer as RoomEnd]();
      return answer as Answer;
    }
  }

  function passes(name: string, path?: string): void {
    const answer = point(name, path);
    if (answer === "ENOSPC" || answer === "EIO") throw failure(answer);
  }

  Object.assign(Deno, {
    async open(path: string, options?: Deno.OpenOptions) {
      const writes = options?.write || options?.append || options?.create;
      if (writes) {
        passes(`open ${path}`, path);
        unsynced.opening(path);
      }
      const file = await real.open(path, options);
      paths.set(file, path);
      return file;
    },
    async chmod(path: string, mode: number) {
      passes(`chmod ${path}`, path);
      return await real.chmod(path, mode);
    },
    async chown(path: string, uid: number | null, gid: number | null) {
      passes(`chown ${path}`, path);
      return await real.chown(path, uid, gid);
    },
    async rename(from: string, to: string) {
      passes(`rename ${to}`, to);
      unsynced.renaming(from, to);
      return await real.rename(from, to);
    },
    async remove(path: string, options?: Deno.RemoveOptions) {
      passes(`remove ${path}`, path);
      unsynced.removing(path);
      return await real.remove(path, options);
    },
    async mkdir(path: string, options?: Deno.MkdirOptions) {
      passes(`mkdir ${path}`, path);
      return await real.mkdir(path, options);
    },
    openSync(path: string | URL, options?: Deno.OpenOptions) {
      if (typeof path === "string" && !options) passes(`read ${path}`, path);
      return real.openSync(path, options);
    },
    async connect(options: Deno.ConnectOptions) {
      passes(`connect ${options.port}`);
      return watched(await real.connect(options));
    },
  });

  Object.assign(Deno.FsFile.prototype, {
    async write(this: Deno.FsFile, bytes: Uint8Array) {
      const { part, after } = writes(this, bytes);
      const length = await fileMethods.write.call(this, part);
      after();
      return length;
    },
    writeSync(this: Deno.FsFile, bytes: Uint8Array) {
      const { part, after } = writes(this, bytes);
      const length = fileMethods.writeSync.call(this, part);
      after();
      return length;
    },
    async truncate(this: Deno.FsFile, length?: number) {
      passes(`truncate ${paths.get(this)}`, paths.get(this));
      unsynced.writing(paths.get(this));
      return await fileMethods.truncate.call(this, length);
    },
    async sync(this: Deno.FsFile) {
      passes(`fsync ${paths.get(this)}`, paths.get(this));
      await fileMethods.sync.call(this);
      unsynced.synced(paths.get(this));
    },
    async syncData(this: Deno.FsFile) {
      passes(`fdatasync ${paths.get(this)}`, paths.get(this));
      await fileMethods.syncData.call(this);
      unsynced.synced(paths.get(this));
    },
    unlockSync(this: Deno.FsFile) {
      point(`unlock ${paths.get(this)}`, paths.get(this));
      fileMethods.unlockSync.call(this);
    },
  });

  /** What of the bytes is written, and what comes after that. */
  function writes(file: Deno.FsFile, bytes: Uint8Array) {
    const path = paths.get(file);
    const answer = point(`write ${path}`, path);
    if (answer === "ENOSPC" || answer === "EIO") throw failure(answer);
    unsynced.writing(path);
    if (answer !== "half") return { part: bytes, after() {} };
    return {
      part: bytes.subarray(0, bytes.length >> 1),
      after: () => void wait(`${passed} half of write ${path}`),
    };
  }

  /** A connection to HAProxy. */
  function watched(connection: Deno.Conn): Deno.Conn {
    const { write, read } = connection;
    return Object.assign(connection, {
      async write(bytes: Uint8Array) {
        if (point("send commands") !== "half") return await write.call(connection, bytes);
        const length = await write.call(connection, bytes.subarray(0, bytes.length >> 1));
        wait(`${passed} half of send commands`);
        return length;
      },
      async read(buffer: Uint8Array) {
        point("await replies");
        const length = await read.call(connection, buffer);
        return length;
      },
    });
  }

  // What main is asked to do: reloads, checks, acme.sh.
  const post = scope.postMessage.bind(scope);
  Object.assign(scope, {
    postMessage(
      message: { readonly t?: string; readonly name?: string },
      transfer: Transferable[],
    ) {
      if (message.t === "call") point(`ask main to ${message.name}`);
      post(message, transfer);
    },
  });
}

interface Unsynced {
  opening(path: string): void;
  writing(path: string | undefined): void;
  renaming(from: string, to: string): void;
  removing(path: string): void;
  /** A file, or a folder. */
  synced(path: string | undefined): void;
  /** Leaves on disk only what was fsynced. */
  takeBack(): void;
}

/** What a power cut may take: contents of files that were not fsynced, and names of folders that were not. */
function openUnsynced(): Unsynced {
  /** In the order in which they were done. `under`: whose fsync makes it last. */
  let done: { readonly under: string; readonly undo: () => void }[] = [];
  const add = (under: string, undo: () => void) => done.push({ under, undo });
  const contentOf = (path: string) => {
    try {
      return real.readFileSync(path);
    } catch {
      return undefined;
    }
  };
  const put = (path: string, content: Uint8Array | undefined) => {
    if (content !== undefined) return real.writeFileSync(path, content);
    if (contentOf(path) !== undefined) real.removeSync(path);
  };
  const own = (path: string) => !path.includes("/data/test-");

  return {
    opening(path) {
      if (own(path) && contentOf(path) === undefined) {
        add(dirname(path), () => put(path, undefined));
      }
    },
    writing(path) {
      if (path === undefined || done.some(({ under }) => under === path)) return;
      const before = contentOf(path);
      add(path, () => contentOf(path) === undefined ? undefined : put(path, before));
    },
    renaming(from, to) {
      const [moved, replaced] = [contentOf(from), contentOf(to)];
      // A content that was never fsynced moves along under its new name.
      done = done.map((each) => each.under === from ? { ...each, under: to } : each);
      add(dirname(to), () => {
        put(to, replaced);
        put(from, moved);
      });
    },
    removing(path) {
      const before = contentOf(path);
      if (before !== undefined) add(dirname(path), () => put(path, before));
    },
    synced(path) {
      done = done.filter(({ under }) => under !== path);
    },
    takeBack() {
      for (const { undo } of done.toReversed()) undo();
      done = [];
    },
  };
}

function methodsOf({ write, writeSync, truncate, sync, syncData, unlockSync }: Deno.FsFile) {
  return { write, writeSync, truncate, sync, syncData, unlockSync };
}

function rootOf(path: string | undefined): string | undefined {
  const found = /^(.*)\/(data|conf|certs)(\/|$)/.exec(path ?? "")?.[1];
  return found;
}

function readOrder(root: string): PointsOrder | undefined {
  const text = readText(join(root, POINTS_FILES.order));
  return text === undefined ? undefined : JSON.parse(text);
}

function readText(path: string): string | undefined {
  try {
    return real.readTextFileSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  }
}

function failure(code: keyof typeof MESSAGES): Error {
  return Object.assign(new Error(MESSAGES[code]), { code });
}
