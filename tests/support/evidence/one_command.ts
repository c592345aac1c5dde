/**
 * Whether what the encoder takes is exactly one command to a real HAProxy. Behind each command goes a look-up whose answer
 * is its own: one reply too many or too few, and a look-up has another's.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { AgentError } from "../../../lib/errors.ts";
import { getMap } from "../../../lib/runtime/commands.ts";
import { runtimeClient } from "../../../lib/runtime/connection.ts";
import { type Command, encode, wire } from "../../../lib/runtime/encode.ts";
import { parseGetMap } from "../../../lib/runtime/parse.ts";
import { type Haproxy, type HaproxyVersion, startHaproxy } from "../haproxy.ts";
import { FULL, record, seedFor } from "./record.ts";

/** Makes a command or refuses to. */
export type Attempt = () => Command;

/** How many times more inputs a full run has. */
const MORE = 20;
/** Commands of one conversation, each with a marker of its own. */
const AT_ONCE = 250;
const DEADLINE_MS = 30_000;

const markerKey = (i: number) => `marker-${i}.test`;
const markers = Array.from({ length: AT_ONCE + 1 }, (_, i) => `${markerKey(i)} at_${i}\n`).join("");

/** A HAProxy whose map holds the markers. */
export const startMarked = (version: HaproxyVersion): Promise<Haproxy> =>
  startHaproxy({ version, pools: 2, slots: 2, domains: markers });

export interface OneCommand {
  /** The row of the evidence. */
  readonly row: string;
  /** In a bounded run. */
  readonly inputs: number;
  /** The least share of the inputs that has to be taken: else the test proves little. */
  readonly taken: number;
}

/** Each attempt is refused as VALIDATION, or HAProxy has to see exactly one command. Counts them. */
export async function eachIsOneCommand(
  haproxy: Haproxy,
  { row, inputs, taken }: OneCommand,
  attempt: fc.Arbitrary<Attempt>,
): Promise<void> {
  const sample = fc.sample(attempt, {
    numRuns: FULL ? inputs * MORE : inputs,
    seed: seedFor(row),
  });
  let tried = 0;
  let failed = 1;
  let refused = 0;
  try {
    const commands = sample.flatMap((make) => refusedOr(make) ?? []);
    refused = sample.length - commands.length;
    for (let i = 0; i < commands.length; i += AT_ONCE) {
      await inStep(haproxy, commands.slice(i, i + AT_ONCE));
      tried = refused + Math.min(i + AT_ONCE, commands.length);
    }
    assert.ok(commands.length >= taken * sample.length, `only ${commands.length} were taken`);
    failed = 0;
  } finally {
    record("Fuzz inputs", row, { inputs: tried, refused, failed });
  }
}

function refusedOr(make: Attempt): Command | undefined {
  try {
    return make();
  } catch (cause) {
    if (cause instanceof AgentError && cause.code === "VALIDATION") return undefined;
    throw cause;
  }
}

/** Fails with the first command that has one reply too many or too few, or behind which HAProxy is silent. */
async function inStep(haproxy: Haproxy, commands: readonly Command[]): Promise<void> {
  const { api, map } = haproxy.options;
  const marker = (i: number) => getMap(map, markerKey(i));
  const pipeline = commands.flatMap((command, i) => [command, marker(i)]);
  const client = runtimeClient({ host: api.address, port: api.port });
  const replies = await client.converse(
    (talk) => talk.exchange([...pipeline, marker(commands.length)]),
    { deadlineMs: DEADLINE_MS },
  ).catch((cause) => {
    throw new Error(`HAProxy fell out of step in:\n${commands.map(shown).join("\n")}`, { cause });
  });
  [...commands, encode(["the", "end"], "data")].forEach((command, i) => {
    const reply = replies[i < commands.length ? 2 * i + 1 : 2 * i];
    const found = reply.ok ? parseGetMap(reply.text) : reply.message;
    assert.equal(found, `at_${i}`, `behind ${shown(command)}`);
  });
}

const shown = (command: Command) => JSON.stringify(wire(command));
