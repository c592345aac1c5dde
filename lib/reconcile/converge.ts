/** Sends the differences and reads back, until HAProxy is what disk says. */
import { AgentError } from "../errors.ts";
import { pause } from "../pause.ts";
import type { Conversation } from "../runtime/connection.ts";
import type { Command } from "../runtime/encode.ts";
import { processOf, readInfo } from "../runtime/process.ts";
import { rejected, texts } from "../runtime/replies.ts";
import type { PoolShape } from "../names/server.ts";
import type { Desired } from "../state/model.ts";
import { diff, type Difference, inOrder, nextRound } from "./diff.ts";
import type { Subject } from "./subject.ts";
import { reading, type Scope, type ScopeView } from "./running.ts";

/** Several entries of one key may need a round each on 3.4. */
const MAX_ROUNDS = 10;

export interface Convergence {
  /** What differed, and is right now. */
  readonly changed: readonly Subject[];
  /** What HAProxy refused or lacks; empty where a refusal throws. */
  readonly problems: readonly AgentError[];
}

export interface ConvergeOptions {
  readonly shape: PoolShape;
  /** True: go on with the rest after a refusal, and report it. False: throw the first one. */
  readonly keepGoing: boolean;
}

/**
 * `view` is what was read last on this conversation. Throws HAPROXY_REJECTED for the first refusal, unless it is to keep
 * going, and HAPROXY_UNREACHABLE where it comes from a process that a reload has replaced.
 */
export async function converge(
  conversation: Conversation,
  desired: Desired,
  scope: Scope,
  view: ScopeView,
  { shape, keepGoing }: ConvergeOptions,
): Promise<Convergence> {
  const problems: AgentError[] = [];
  const given = new Set<string>();
  let changed: readonly Subject[] = [];
  const problem = (error: AgentError, about: string) => {
    if (!keepGoing) throw error;
    if (!given.has(about)) problems.push(error);
    given.add(about);
  };

  const look = reading(scope, view.map, shape);
  let { running } = view;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const { list, missing } = diff(desired, running, scope, view.map);
    for (const name of missing) problem(lacks(name), name);
    const open = list.filter(({ subject }) => !given.has(subject));
    if (open.length === 0) {
      return { changed: changed.filter(({ name }) => !given.has(name)), problems };
    }
    if (round === 0) changed = open.map(({ subject, kind }) => ({ kind, name: subject }));
    const commands = nextRound(open);
    // An address takes effect only after the commands behind it are answered: it is read back in an exchange of its own. On
    // a machine that is short of time even that may be too early.
    const apart = open.some(({ moves }) => moves);
    const sent = apart ? commands : [...commands, ...look.commands];
    const answers = await conversation.exchange(sent);
    const replies = answers.slice(0, commands.length);
    if (!keepGoing && replies.some(({ ok }) => !ok)) await assertServes(conversation);
    commands.forEach((command, i) => {
      const reply = replies[i];
      if (!reply.ok) problem(rejected(command, reply.message), subjectOf(open, command));
    });
    if (apart && round > 0) await pause(2 ** round);
    running = look.parse(
      texts(
        look.commands,
        apart ? await conversation.exchange(look.commands) : answers.slice(commands.length),
      ),
    );
  }
  throw new AgentError(
    "HAPROXY_REJECTED",
    "HAProxy takes the commands, but reading back shows another state.",
    {
      hint: "Does something else write to its Runtime API? Look for a second HAProxy on this port.",
    },
  );
}

/** A reload's old worker refuses what the new one would take. Throws HAPROXY_UNREACHABLE. */
async function assertServes(conversation: Conversation): Promise<void> {
  const { pid, stopping } = processOf(await readInfo(conversation));
  if (!stopping) return;
  throw new AgentError("HAPROXY_UNREACHABLE", `HAProxy was reloaded: process ${pid} is leaving.`, {
    hint: "Nothing was changed. The new process answers by now: try again.",
  });
}

function subjectOf(list: readonly Difference[], command: Command): string {
  return list.find((each) => inOrder([each]).includes(command))!.subject;
}

/** A slot that haproxy.cfg does not have. */
export function lacks(name: string): AgentError {
  return new AgentError("HAPROXY_REJECTED", `HAProxy's configuration has no server ${name}.`, {
    hint: "Let haproxy.cfg, HAPROXY_POOL_COUNT and HAPROXY_MAX_SLOTS agree.",
    details: { server: name },
  });
}
