/** What clients under load have seen, and what counts as an answer. */

export interface LoadOptions {
  /** @default {"127.0.0.1"} */
  readonly address?: string;
  readonly port: number;
  /** The domain that is asked for. */
  readonly host: string;
  /** Names of the backends (see ../backend.ts) that may answer, or those that might have answered a request of that time. */
  readonly names: readonly string[] | ((asked: Asked) => readonly string[]);
  /** Asked for in turn. @default {PATHS} */
  readonly paths?: readonly string[];
  /** Connections at a time. @default {4} */
  readonly connections?: number;
  /** Milliseconds at most, by chance, between an answer and the connection's next request. @default {5} */
  readonly pause?: number;
  /** A connection for each request. @default {false} */
  readonly fresh?: boolean;
  /** Goes into each path with a number, so that HAProxy's log tells whose a line is. @default {none} */
  readonly mark?: string;
  /** Told of each failure as it is counted. */
  readonly onFailure?: (failure: Failure) => void;
}

/** A request, and its lifetime as the client saw it, in milliseconds of the epoch. */
export interface Asked {
  readonly path: string;
  readonly began: number;
  /** @default {now} */
  readonly ended?: number;
}

export interface Failure extends Asked {
  readonly reason: string;
  /** It never came to a request: no connection could be opened for it. */
  readonly unsent: boolean;
}

export interface LoadReport {
  /** Requests answered with 200 and the whole right body. */
  readonly answered: number;
  /**
   * Requests that were sent once more because the protocol itself declares them unprocessed (RFC 9113,
   * section 8.7; RFC 9114, section 5.2): no client's user sees anything of it. What came of them is counted
   * beside. For what else h3 counts here see h3.ts.
   */
  readonly retried: number;
  /** Connections opened. */
  readonly connections: number;
  /** One line for each request that a client would report as failed. */
  readonly failures: readonly string[];
}

/** Clients at work. */
export interface Load extends AsyncDisposable {
  /** So far. */
  readonly report: LoadReport;
  /** Resolves once this many more requests were answered, or anything failed. */
  more(answers: number): Promise<void>;
  /** Ends it when the requests on their way have been answered; the whole count. */
  stop(): Promise<LoadReport>;
}

/** A fast answer, one that takes its time, and one in several pieces. */
export const PATHS = ["/", "/slow?ms=40", "/", "/stream?chunks=3&ms=15"] as const;

/** Milliseconds until a request without a complete answer is a failed one. */
export const PATIENCE = 15_000;

export interface Tally {
  readonly stopped: AbortSignal;
  readonly next: () => Asked;
  connected(): void;
  retried(): void;
  failed(asked: Asked, reason: string, unsent?: boolean): void;
  /** Looks at a complete answer. */
  answered(asked: Asked, status: number, body: string): void;
}

/** Runs the client as often as there are to be connections; it goes on until the tally is stopped. */
export function startClients(
  options: LoadOptions,
  client: (tally: Tally) => Promise<void>,
): Load {
  const { names, paths = PATHS, connections: count = 4, mark, onFailure = () => {} } = options;
  const stopping = new AbortController();
  const failures: string[] = [];
  let [answered, retried, connections, turn] = [0, 0, 0, 0];
  let changed = Promise.withResolvers<void>();

  function change(): void {
    changed.resolve();
    changed = Promise.withResolvers();
  }

  function next(): Asked {
    const path = paths[turn % paths.length];
    const sign = mark === undefined
      ? ""
      : `${path.includes("?") ? "&" : "?"}request=${mark}-${turn}`;
    turn++;
    return { path: path + sign, began: Date.now() };
  }

  const tally: Tally = {
    stopped: stopping.signal,
    next,
    connected: () => connections++,
    retried: () => retried++,
    failed(asked, reason, unsent = false) {
      failures.push(`${asked.path}: ${reason}`);
      onFailure({ ended: Date.now(), ...asked, reason, unsent });
      change();
    },
    answered(asked, status, body) {
      const allowed = typeof names === "function" ? names({ ended: Date.now(), ...asked }) : names;
      const problem = problemOf(allowed, asked.path, status, body);
      if (problem !== undefined) return tally.failed(asked, problem);
      answered++;
      change();
    },
  };
  const report = () => ({ answered, retried, connections, failures: [...failures] });
  const running = Promise.all(Array.from({ length: count }, () => client(tally)));
  running.catch((error) => tally.failed({ path: "client", began: 0 }, `ended: ${error}`));

  async function stop(): Promise<LoadReport> {
    stopping.abort();
    await running;
    return report();
  }

  return {
    get report() {
      return report();
    },
    async more(answers) {
      const goal = answered + answers;
      while (answered < goal && failures.length === 0) await changed.promise;
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

/** What is wrong with an answer of ../backend.ts. */
function problemOf(
  names: readonly string[],
  path: string,
  status: number,
  body: string,
): string | undefined {
  const chunks = Number(/^\/stream\?chunks=(\d+)/.exec(path)?.[1] ?? 1);
  if (status !== 200) return `status ${status}`;
  if (names.some((name) => body === `${name}\n`.repeat(chunks))) return undefined;
  return `the body is ${JSON.stringify(body.slice(0, 200))}`;
}
