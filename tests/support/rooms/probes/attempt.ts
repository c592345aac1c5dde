/** What an attempt to leave a room is made of. */

export interface ProbeTarget {
  readonly root: string;
  readonly apiPort: number;
  /** A loopback port where somebody listens. */
  readonly otherPort: number;
  /** Another one, and no room's business under any name. */
  readonly nobodysPort: number;
  /** A file outside the root that exists and may be overwritten, in a folder that may be written. */
  readonly outside: string;
  /** Somebody else's process. */
  readonly pid: number;
  /** A symlink in the root that somebody else put there, leading to `outside`. */
  readonly link: string;
}

/** What code that nobody wrote by accident would use: Deno's own operations, without what Deno wraps around them. */
export const innerApi = (): Loose => there(there(deno[there(deno.internal)]).core);

export type Attempts = Readonly<Record<string, () => unknown>>;

/** Denied without an exception, or not there at all. */
export class Hidden extends Error {
  override readonly name = "Hidden";
}

// deno-lint-ignore no-explicit-any -- what is unstable, internal, or of one version
export type Loose = any;
export const deno = Deno as Loose;
export const globals = globalThis as Loose;

/** What this version may not have. */
export function there<T>(value: T): NonNullable<T> {
  if (value === undefined || value === null) throw new Hidden("there is no such thing");
  return value;
}

/** The bundler looks into no specifier that is not written out. */
export const load = (specifier: string, options?: ImportCallOptions): Promise<Loose> =>
  import(specifier, options);

/** Throws where the attempt came to nothing, and no exception said so. */
export function got(condition: unknown, what = "nothing came of it"): void {
  if (!condition) throw new Hidden(what);
}

interface Emitter {
  on(event: string, listener: (argument: unknown) => void): unknown;
}

export function eventOf(emitter: Emitter, event: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    emitter.on(event, resolve);
    emitter.on("error", reject);
  });
}

export const script = (code: string) => `data:application/javascript,${encodeURIComponent(code)}`;

/** Code of a worker that posts `up` where `attempt` succeeds, else the error's name. */
export const trying = (attempt: string) =>
  `(async () => { ${attempt} })().then(() => postMessage("up"), (e) => postMessage(e.name))`;

/** Resolves when the worker posts `up`; rejects with the error's name that it posts, or its own end. */
export function startWorker(url: string, permissions?: unknown): Promise<void> {
  const options = permissions === undefined ? {} : { deno: { permissions } };
  const worker = new Worker(url, { type: "module", name: "probe", ...options } as WorkerOptions);
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      worker.terminate();
      if (data === "up") resolve();
      else reject(Object.assign(new Error(), { name: data }));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
}
