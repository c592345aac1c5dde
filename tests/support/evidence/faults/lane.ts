/** One site with a relay before its HAProxy, on which calls are tried one after the other while something goes wrong. */
import { setTimeout as delay } from "node:timers/promises";
import { agentEnv, executable, startServe } from "../../agent.ts";
import { type HaproxyVersion, startHaproxy } from "../../haproxy.ts";
import { type Expected, putBack, readFiles, startAgain, type Verdict } from "../crash.ts";
import { FULL } from "../record.ts";
import { type Change, openEvidenceSite } from "../site.ts";
import type { Told } from "../stopped_call.ts";
import { differences, lookAt, type View } from "../view.ts";
import { type FaultKind, type FaultName, FAULTS } from "./faults.ts";
import { openRelay } from "./relay.ts";
import { callerOf, lookOnce, PATIENCE_MS, settledBy } from "./settle.ts";

/**
 * Who settles what the fault has left: a running `serve`, which was called, or a new start after a call from the shell
 * that nobody follows.
 */
export type Settler = "serve" | "new start";

export interface Trial {
  readonly fault: FaultName;
  readonly at: number;
  readonly lasting: boolean;
  readonly settler: Settler;
}

export interface Result {
  readonly told?: Told;
  readonly verdict: Verdict;
  readonly left: View;
  /** The exchange that it struck at; undefined: the call had ended before. */
  readonly struck?: string;
  /** Of `serve`. */
  readonly log: string;
}

export interface Lane extends AsyncDisposable {
  readonly before: View;
  /** Carries a call out without a fault: what is there then, and how many exchanges there were. */
  learn(call: Change): Promise<Learned>;
  /** Each begins with the site as it was. */
  attempt(call: Change, trial: Trial, expected: Expected): Promise<Result>;
}

export interface Learned extends Expected {
  readonly commands: readonly string[];
  readonly conversations: number;
}

/** A fault that lasts is lifted when the caller has been told, or after this. */
const HELD_MS = FULL ? 80_000 : 8_000;
/** Until a running agent has met both of two HAProxys: it asks which one answers once a second. */
const SEEN_MS = 4_000;

export async function openLane(version: HaproxyVersion): Promise<Lane> {
  await using opening = new AsyncDisposableStack();
  const haproxy = opening.use(await openEvidenceSite(version));
  const stranger = opening.use(
    await startHaproxy({ version, pools: 2, slots: 3, domains: "a.test pool_2\nz.test pool_1\n" }),
  );
  const relay = opening.use(openRelay(haproxy.options.api));
  const opened = opening.move();
  const files = await readFiles(haproxy);
  const before = await lookAt(haproxy);
  const env = { HAPROXY_PORT: String(relay.port) };
  let asBefore = true;

  async function asItWas(): Promise<void> {
    if (!asBefore) await putBack(haproxy, files);
    asBefore = false;
  }

  async function fromShell({ tool, args }: Change): Promise<Told> {
    const { code, stdout, stderr } = await new Deno.Command(executable(), {
      args: ["call", tool, "--json", "--args", JSON.stringify(args)],
      clearEnv: true,
      env: { ...agentEnv(haproxy), ...env },
      stdin: "null",
      signal: AbortSignal.timeout(PATIENCE_MS),
    }).output();
    const text = new TextDecoder().decode(stdout) || new TextDecoder().decode(stderr);
    const error = /"code":"([A-Z_]+)"/.exec(text)?.[1];
    return { done: code === 0, text, ...(code !== 0 && error && { code: error }) };
  }

  return {
    before,
    async learn(call) {
      await asItWas();
      relay.set({});
      const told = await fromShell(call);
      if (!told.done) throw new Error(`${call.tool}: ${told.text}`);
      const { commands, conversations } = relay;
      return { before, after: await lookAt(haproxy), commands, conversations };
    },

    async attempt(call, { fault: name, at, lasting, settler }, expected) {
      await asItWas();
      relay.set({});
      await using agent = settler === "serve" ? await startServe(haproxy, { env }) : undefined;
      const { strikes, make, early = false }: FaultKind = FAULTS[name];
      const fault = make({
        haproxy,
        stranger: stranger.options.api.port,
        at,
        lasting,
      });
      const ask = agent ? await callerOf(agent) : fromShell;
      relay.set(fault);
      let told: Told | undefined;
      try {
        if (agent && early) await delay(SEEN_MS);
        const asking = ask(call).then((answer) => told = answer);
        const over = new AbortController();
        const { signal } = over;
        await Promise.race([asking, delay(HELD_MS, undefined, { signal }).catch(() => {})]);
        over.abort();
        const exchange = strikes === "command" ? relay.commands[at - 1] : `conversation ${at}`;
        const struck = fault.struck ? `${at} ${exchange}` : undefined;
        await fault.lift();
        relay.set({});
        await asking;
        if (!agent) await startAgain(haproxy);
        const settled = agent
          ? await settledBy(haproxy, expected, told)
          : await lookOnce(haproxy, expected, told);
        asBefore = differences(settled.left, before).length === 0;
        return { ...settled, told, log: agent?.log() ?? "", ...(struck && { struck }) };
      } finally {
        await fault.lift();
        relay.set({});
      }
    },

    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
