/** The desired state as a whole: a copy of the servers on disk, and HAProxy brought back to what disk says. */
import { basename } from "node:path";
import * as z from "zod";
import { counted } from "../lib/counted.ts";
import { AgentError } from "../lib/errors.ts";
import { domainOfKey } from "../lib/names/domain.ts";
import { serverName } from "../lib/names/server.ts";
import { KINDS, type Subject } from "../lib/reconcile/subject.ts";
import { showServersState } from "../lib/runtime/commands.ts";
import { parseServersState } from "../lib/runtime/parse.ts";
import { texts } from "../lib/runtime/replies.ts";
import type { Change, Desired, Slots } from "../lib/state/model.ts";
import { filledSlots, parseSavedState } from "../lib/state/saved_state.ts";
import { renderServerStateFile } from "../lib/state/server_state_file.ts";
import { byNumber } from "../lib/state/servers_file.ts";
import type { ToolContext } from "./context.ts";
import { answer, confirm, dryRun, oneOf, wouldChange } from "./fields.ts";
import { CHANGES, tool } from "./tool.ts";

/** A thousand names help nobody; the counts are of all. */
const MAX_NAMED = 20;

export const saveState = tool({
  name: "haproxy_save_state",
  title: "Save the servers' state",
  description:
    "Writes the pools' servers as HAProxy runs them now (address, weight, ready, drain or maint) to " +
    "HAPROXY_STATE_FILE, for haproxy_restore_state with source=state_file. Not needed for HAProxy's own start: every " +
    "change is kept anyway.",
  group: "configuration",
  hints: CHANGES,
  input: z.strictObject({ ...dryRun }),
  output: z.object({ file: z.string(), servers: z.int(), ...wouldChange }),
  async run({ dry_run }, context, { signal }) {
    const file = context.paths.savedState;
    const write = async () => {
      const look = showServersState();
      const replies = await context.runtime.converse((talk) => talk.exchange([look]), { signal });
      const pools = filledSlots(parseServersState(texts([look], replies)[0]), context.shape);
      if (!dry_run) await context.files.replace(file, renderServerStateFile(pools), 0o600);
      return pools;
    };
    const pools = await context.transactions.still(write, signal);
    const lines = serverLines(pools);
    const preview = dry_run
      ? {
        files: [{ file: basename(file), lines: lines.map((line) => `+ ${line}`) }],
        commands: [],
      }
      : undefined;
    return answer(
      `Saved ${counted(lines.length, "server")} to ${file}.`,
      { file, servers: lines.length },
      preview,
    );
  },
});

function serverLines(pools: ReadonlyMap<string, Slots>): string[] {
  return byNumber(pools).flatMap(([pool, slots]) =>
    byNumber(slots).map(([slot, { ip, httpPort, weight, state }]) =>
      `${serverName(pool, slot)} ${ip} ${httpPort} weight ${weight} ${state}`
    )
  );
}

const subject = z.object({
  kind: z.enum(KINDS),
  name: z.string().describe("The domain, the server such as pool_5_1, or the certificate's file."),
});

export const restoreState = tool({
  name: "haproxy_restore_state",
  title: "Restore the state",
  description:
    "Brings HAProxy to what the files say: domains.map, servers.json, the certificates. Sends only what differs, and " +
    "nothing where nothing does. With source=state_file the servers of HAPROXY_STATE_FILE become those of servers.json " +
    "first, all or none; the domains stay.",
  group: "configuration",
  hints: CHANGES,
  deadlineMs: 120_000,
  input: z.strictObject({
    source: oneOf(["desired", "state_file"]).default("desired")
      .describe(
        "desired: the files as they are; state_file: with the servers that haproxy_save_state saved.",
      ),
    ...confirm,
    ...dryRun,
  }),
  output: z.object({
    changed: z.array(subject).describe(`What differed, ${MAX_NAMED} of a kind at most.`),
    changed_count: z.int(),
    unchanged: z.int().describe("Domains, servers and certificates that were right."),
    ...wouldChange,
  }),
  async run({ source, dry_run }, context, { signal }) {
    const saved = source === "state_file" ? await readSaved(context) : undefined;
    const { changed, unchanged, problems, preview } = await context.transactions.restore({
      tool: "haproxy_restore_state",
      dryRun: dry_run,
      signal,
      plan: (desired) => ({
        changes: saved ? replaceServers(desired, saved) : [],
        result: null,
      }),
    });
    if (problems.length > 0 && !dry_run) throw incomplete(problems, changed.length);
    const named = KINDS.flatMap((kind) =>
      changed.filter((each) => each.kind === kind).slice(0, MAX_NAMED)
    ).map(({ kind, name }) => ({ kind, name: kind === "domain" ? domainOfKey(name) : name }));
    const done = changed.length === 0
      ? `Nothing to restore: all ${unchanged} domains, servers and certificates are as the files say.`
      : `Restored ${changed.length} of ${changed.length + unchanged}: ${listed(named, changed)}.`;
    const open = problems.map(({ message }) => `Can't be restored: ${message}`);
    return answer(
      [done, ...open].join("\n"),
      { changed: named, changed_count: changed.length, unchanged },
      preview,
    );
  },
});

/** In the text; the structured answer has more. */
const MAX_LISTED = 10;

function listed(named: readonly Subject[], all: readonly Subject[]): string {
  const shown = named.slice(0, MAX_LISTED);
  const more = all.length - shown.length;
  return shown.map(({ name }) => name).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** What was brought in line stays so. */
export function incomplete(problems: readonly AgentError[], changed: number): AgentError {
  const [first] = problems;
  const places = problems.length === 1 ? "one place" : `${problems.length} places`;
  return new AgentError(
    first.code,
    `HAProxy is not what the files say, in ${places}: ${
      problems.slice(0, 5).map(({ message }) => message).join(" ")
    }`,
    {
      // The problems' own hints speak of calls that changed nothing.
      hint:
        `What could be restored was (${changed} of it differed). Put right what is named, then restore again.`,
      details: { problems: problems.map(({ message }) => message), changed },
    },
  );
}

async function readSaved({ files, paths, shape }: ToolContext): Promise<Map<string, Slots>> {
  const text = await files.read(paths.savedState);
  if (text !== undefined) return parseSavedState(text, paths.savedState, shape);
  throw new AgentError("NOT_FOUND", `There is no ${paths.savedState}.`, {
    hint: "haproxy_save_state writes it.",
  });
}

/** Every slot that is filled now or then. */
function replaceServers(desired: Desired, saved: ReadonlyMap<string, Slots>): Change[] {
  const pools = new Set([...[...desired.pools()].map(([pool]) => pool), ...saved.keys()]);
  return [...pools].flatMap((pool) => {
    const now = desired.slotsOf(pool);
    const then: Slots = saved.get(pool) ?? new Map();
    return [...new Set([...now.keys(), ...then.keys()])].map((slot): Change => ({
      kind: "server",
      pool,
      slot,
      before: now.get(slot) ?? null,
      after: then.get(slot) ?? null,
    }));
  });
}
