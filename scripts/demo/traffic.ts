/** Somebody else who uses the sites during the whole walk: one request after the other, each on a new connection. */
import { setTimeout as delay } from "node:timers/promises";
import { request } from "../../tests/support/request.ts";

export interface Tally {
  readonly requests: number;
  /** One for each request without a right answer, with what came instead. */
  readonly failures: readonly string[];
}

export interface Traffic {
  /** From now on this host is asked, too. */
  join(host: string): void;
  /** Nobody else asks while `act` runs: what it gets is the balance of its own requests. */
  hush<T>(act: () => Promise<T>): Promise<T>;
  stop(): Promise<Tally>;
}

const PAUSE_MS = 3;

/** @param isRight judges the body of a 200 */
export function startTraffic(port: number, isRight: (body: string) => boolean): Traffic {
  const hosts: string[] = [];
  const failures: string[] = [];
  let requests = 0;
  let over = false;
  let hushed: Promise<unknown> | undefined;
  let current: Promise<unknown> = Promise.resolve();

  async function ask(host: string): Promise<void> {
    requests++;
    try {
      const { status, body } = await request({ port, host });
      if (status !== 200 || !isRight(body)) failures.push(`${host}: ${status} ${body.trim()}`);
    } catch (cause) {
      failures.push(`${host}: ${cause instanceof Error ? cause.message : cause}`);
    }
  }

  async function run(): Promise<void> {
    for (let turn = 0; !over; turn++) {
      while (hushed) await hushed;
      if (hosts.length > 0) await (current = ask(hosts[turn % hosts.length]));
      await delay(PAUSE_MS);
    }
  }

  const done = run();
  return {
    join: (host) => void hosts.push(host),
    async hush(act) {
      const acted = current.then(act);
      hushed = acted.catch(() => {});
      try {
        return await acted;
      } finally {
        hushed = undefined;
      }
    },
    async stop() {
      over = true;
      await done;
      return { requests, failures };
    },
  };
}
