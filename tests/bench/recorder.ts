/** Which commands of the Runtime API a call of ours takes: the limit sends the same ones. */
import { startServe } from "../support/agent.ts";
import { faultProxy } from "../support/fault_proxy.ts";
import type { Haproxy } from "../support/haproxy.ts";
import { type Call, callAll } from "./mcp_load.ts";

/** Not what is asked, only what is changed: what an agent has to look at is its own affair. */
const CHANGES = /^(set|add|del|enable|disable|new|commit|prepare|clear|health)\b/;
/** What another script would send as well. */
const GREETING =
  /^(prompt|quit|set severity-output|set anon|set cli|expert-mode|experimental-mode)\b/;

export interface Recorded {
  /** All lines, questions included, each reply's greeting left out. */
  readonly all: readonly string[];
  readonly changing: readonly string[];
}

/**
 * Runs the calls one after the other, and records each one's lines.
 *
 * @param before is done once the agent is there
 */
export async function recordCommands(
  haproxy: Haproxy,
  calls: readonly Call[],
  before: () => Promise<void> = () => Promise.resolve(),
): Promise<readonly Recorded[]> {
  await using proxy = faultProxy(haproxy.options.api);
  const api = { address: "127.0.0.1", port: proxy.port };
  await using agent = await startServe({ ...view(haproxy), options: { ...haproxy.options, api } });
  await before();
  const target = { url: agent.url, token: agent.token, speech: "2026" as const };
  const recorded: Recorded[] = [];
  for (const call of calls) {
    const known = proxy.lines.length;
    await callAll(target, [call]);
    const all = proxy.lines.slice(known).filter((line) => line !== "" && !GREETING.test(line));
    recorded.push({ all, changing: all.filter((line) => CHANGES.test(line)) });
  }
  return recorded;
}

/** What an agent is told of a HAProxy; the getters of the rig stay where they are. */
const view = ({ root, version, masterAddress }: Haproxy) => ({ root, version, masterAddress });
