/** The processes of a sequence: one HAProxy, one `serve`, killed and started anew as the sequence wants it. */
import { setTimeout as delay } from "node:timers/promises";
import { type Serve, startServe } from "../../agent.ts";
import { eventually } from "../../eventually.ts";
import type { Haproxy } from "../../haproxy.ts";
import { runtimePid } from "../../haproxy_cli.ts";
import { journalIsEmpty } from "./seen.ts";
import type { RunningAgent } from "./callers.ts";

export interface Stage extends AsyncDisposable {
  readonly haproxy: Haproxy;
  /** Waits for one, where it has been killed. */
  agent(): Promise<RunningAgent>;
  /** Counts the beginnings and the ends of HAProxy's absences, reloads included. */
  readonly troubles: number;
  killHaproxy(pauseMs: number): Promise<void>;
  killAgent(): Promise<void>;
  killBoth(agentFirst: boolean): Promise<void>;
  /** SIGUSR2, or whatever else makes HAProxy another process. */
  replaceWorker(act: () => Promise<void>): Promise<void>;
  /** Resolves once nothing is being killed or started, and the agent has brought HAProxy in line. */
  whole(): Promise<void>;
  /** The same, and the files hold every change; nobody may be calling. */
  steady(): Promise<void>;
  /** What the agent says of the process that HAProxy is now: that it holds what disk says, or what it lacked. */
  verdict(): Promise<string>;
  /** Of all the agents. */
  logs(): string;
}

/** Bursts of calls are no attack here. */
const ENV = { MCP_RATE: "0", LOG_LEVEL: "INFO" };

export async function openStage(haproxy: Haproxy): Promise<Stage> {
  let troubles = 0;
  let pastLogs = "";
  let working: Promise<unknown> = Promise.resolve();
  let kill = new AbortController();
  let running = Promise.resolve(await start());

  async function start(): Promise<RunningAgent> {
    kill = new AbortController();
    const serve: Serve = await startServe(haproxy, { env: ENV });
    return { serve, killed: kill.signal };
  }

  /** One at a time; `steady` waits for it. */
  function work(act: () => Promise<void>): Promise<void> {
    const mine = working.then(act);
    working = mine.catch(() => {});
    return mine;
  }

  async function absent(act: () => Promise<void>): Promise<void> {
    troubles++;
    try {
      await act();
    } finally {
      troubles++;
    }
  }

  /** Callers wait for the next one. */
  async function endAgent(): Promise<() => void> {
    const { serve } = await running;
    const { promise, resolve, reject } = Promise.withResolvers<RunningAgent>();
    running = promise;
    running.catch(() => {});
    const killed = kill;
    await serve.end("SIGKILL");
    killed.abort(new Error("the agent was killed"));
    pastLogs += serve.log();
    await serve[Symbol.asyncDispose]();
    return () => void start().then(resolve, reject);
  }

  async function verdict(): Promise<string> {
    let said: string | undefined;
    const { serve } = await running;
    await eventually(async () => {
      const pid = await runtimePid(haproxy.runtime);
      const lines = serve.log().matchAll(/HAProxy \S+, process (\d+): (.*)/g);
      said = [...lines].findLast(([, process]) => Number(process) === pid)?.[2];
      return said !== undefined;
    }, 20_000).catch((cause) => {
      throw new Error(`the agent does not speak of HAProxy's process:\n${serve.log()}`, { cause });
    });
    return said!;
  }

  async function whole(): Promise<void> {
    for (let before; before !== working;) await (before = working);
    await verdict();
  }

  return {
    haproxy,
    agent: () => running,
    get troubles() {
      return troubles;
    },
    killHaproxy: (pauseMs) =>
      work(() =>
        absent(async () => {
          await haproxy.kill9();
          await delay(pauseMs);
          await haproxy.start();
        })
      ),
    killAgent: () =>
      work(async () => {
        (await endAgent())();
        await running;
      }),
    killBoth: (agentFirst) =>
      work(() =>
        absent(async () => {
          const [again] = await Promise.all([endAgent(), haproxy.kill9()]);
          if (agentFirst) again();
          await haproxy.start();
          if (!agentFirst) again();
          await running;
        })
      ),
    replaceWorker: (act) => work(() => absent(act)),
    whole,
    async steady() {
      await whole();
      await eventually(() => journalIsEmpty(haproxy.root), 20_000);
    },
    verdict,
    logs: () => pastLogs,
    async [Symbol.asyncDispose]() {
      await working;
      await running.then(({ serve }) => serve[Symbol.asyncDispose](), () => {});
    },
  };
}
