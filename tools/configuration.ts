/** haproxy.cfg: is it valid, and HAProxy with it anew. The acts are main's: the tools room may run no program. */
import * as z from "zod";
import { counted } from "../lib/counted.ts";
import { AgentError } from "../lib/errors.ts";
import { RELOAD_WAYS, type ReloadWay } from "../lib/config.ts";
import { readProcess } from "../lib/reconcile/processes.ts";
import { countKinds, countsInWords } from "../lib/reconcile/subject.ts";
import type { HaproxyProcess } from "../lib/runtime/process.ts";
import type { Reloaded } from "../lib/transaction/reload.ts";
import type { ToolContext } from "./context.ts";
import { confirm, dryRun } from "./fields.ts";
import type { ConfigCheck, ConfigMessage, ReloadOrder } from "./host_acts.ts";
import { CHANGES, READS, tool } from "./tool.ts";

/** Longer than the host's own limits, so that its words reach the caller. */
const CHECK_MS = 45_000;
const RELOAD_MS = 90_000;

const configMessage = z.object({
  file: z.string().nullable().describe("As HAProxy spells it; null where it names no place."),
  line: z.int().nullable(),
  message: z.string(),
});

const listed = (messages: readonly ConfigMessage[]) =>
  messages.map(({ file = null, line = null, message }) => ({ file, line, message }));

/** `conf/haproxy.cfg:441: unknown keyword 'bogus' in 'backend' section`. */
function sentence({ file, line, message }: ConfigMessage): string {
  if (file === undefined) return message;
  return `${file}${line === undefined ? "" : `:${line}`}: ${message}`;
}

export const checkConfig = tool({
  name: "haproxy_check_config",
  title: "Check the configuration",
  description:
    "Lets HAProxy's own parser read haproxy.cfg, and answers its warnings and errors with file and line. Changes " +
    "nothing; HAProxy serves on with what it has.",
  group: "configuration",
  hints: READS,
  deadlineMs: 2 * CHECK_MS + 5_000,
  input: z.strictObject({}),
  output: z.object({
    valid: z.boolean(),
    checked_by: z.enum(["binary", "podman"])
      .describe("HAProxy's program on this machine, or the one in its container."),
    warnings: z.array(configMessage),
    errors: z.array(configMessage),
  }),
  async run(_, context, { signal }) {
    const check = await askCheck(context, signal);
    const { valid, by, warnings, errors } = check;
    const lines = [
      ...errors.map((each) => `error    ${sentence(each)}`),
      ...warnings.map((each) => `warning  ${sentence(each)}`),
    ];
    return {
      text: [verdict(check), ...lines].join("\n"),
      structured: {
        valid,
        checked_by: by,
        warnings: listed(warnings),
        errors: listed(errors),
      },
    };
  },
});

/** A certificate that comes or goes while HAProxy's parser reads looks like a broken file: such a verdict is tried again. */
async function askCheck({ host, transactions }: ToolContext, signal: AbortSignal) {
  const ask = () => host.call("checkConfig", undefined, { signal, deadlineMs: CHECK_MS });
  const first = await ask();
  if (first.valid) return first;
  return await transactions.whileHeld(ask, signal).catch(() => {
    signal.throwIfAborted();
    return first;
  });
}

function verdict({ valid, errors, warnings }: ConfigCheck): string {
  if (!valid) return `The configuration is broken: ${counted(errors.length, "error")}.`;
  if (warnings.length === 0) return "The configuration is valid.";
  return `The configuration is valid, with ${counted(warnings.length, "warning")}.`;
}

export const reload = tool({
  name: "haproxy_reload",
  title: "Reload HAProxy",
  description:
    "Starts a new HAProxy worker with haproxy.cfg as it is now; the old one finishes what it has. Only needed after " +
    "an edit of haproxy.cfg: no tool needs it. Checks the configuration first; a broken one is answered with " +
    "CONFIG_INVALID, file and line, and HAProxy serves on unchanged. Answers when the new worker holds every domain, " +
    "server and certificate.",
  group: "configuration",
  hints: CHANGES,
  deadlineMs: 2 * CHECK_MS + RELOAD_MS + 60_000,
  input: z.strictObject({ ...confirm, ...dryRun }),
  output: z.object({
    reloaded: z.boolean(),
    way: z.enum(RELOAD_WAYS).describe("master CLI, Podman's signal to the container, or systemd."),
    worker_pid: z.int().describe("As HAProxy sees it: in a container it counts from 1."),
    duration_ms: z.int(),
    restored: z.object({ servers: z.int(), domains: z.int(), certificates: z.int() })
      .describe("What the new worker had not read from the files by itself."),
    warnings: z.array(configMessage).describe("HAProxy's, about the configuration."),
  }),
  async run({ confirm, dry_run }, context, call) {
    const start = performance.now();
    call.progress({ progress: 0, total: 3, message: "checking haproxy.cfg" });
    const check = await checkFirst(context, call.signal);
    if (dry_run) return await rehearse(context, check, call.signal, start);
    if (check.unchecked !== undefined && !confirm && context.confirm !== "off") {
      await wayOf(context, call.signal);
      throw unsafe(check.unchecked);
    }
    call.progress({ progress: 1, total: 3, message: "reloading" });
    // Not cancelled with the call: half an order is none.
    const order = () => context.host.call("reload", undefined, { deadlineMs: RELOAD_MS });
    const reloaded = await context.transactions.reload(order, call.signal).catch((cause) =>
      notRunning(context, cause)
    );
    call.progress({ progress: 3, total: 3, message: "restored" });
    const process = servingAfter(context, reloaded);
    const { answer: { way }, changed } = reloaded;
    const restored = countKinds(changed);
    const duration_ms = Math.round(performance.now() - start);
    const all = distinct([...check.warnings, ...reloaded.answer.warnings]);
    return {
      text: [
        `HAProxy was reloaded by ${
          WAYS[way]
        } in ${duration_ms} ms: process ${process.pid} serves, ` +
        `and holds what the files say (${countsInWords(restored)} restored by the agent).`,
        ...all.map((each) => `warning  ${sentence(each)}`),
      ].join("\n"),
      structured: {
        reloaded: true,
        way,
        worker_pid: process.pid,
        duration_ms,
        restored,
        warnings: listed(all),
      },
    };
  },
});

const WAYS = {
  master: "its master CLI",
  podman: "Podman's signal to its container",
  systemd: "systemd",
} as const;

interface FirstCheck {
  readonly warnings: readonly ConfigMessage[];
  /** Why nobody can check. */
  readonly unchecked?: string;
}

async function checkFirst(context: ToolContext, signal: AbortSignal): Promise<FirstCheck> {
  try {
    const { valid, errors, warnings } = await askCheck(context, signal);
    if (!valid) throw configInvalid(errors);
    return { warnings };
  } catch (cause) {
    const { code, message } = AgentError.from(cause);
    if (code !== "UNSUPPORTED") throw cause;
    return { warnings: [], unchecked: message };
  }
}

/** A broken file may end HAProxy's master at a reload: 3.4's on a missing line end, 3.2's on a missing file. */
function unsafe(unchecked: string): AgentError {
  return new AgentError(
    "CONFIRMATION_NEEDED",
    `${unchecked} Some broken configurations end HAProxy at a reload, so a reload unseen has to be confirmed.`,
    {
      hint:
        "Let HAPROXY_BINARY name a haproxy program, or be sure of haproxy.cfg and call again with confirm=true.",
    },
  );
}

function configInvalid(errors: readonly ConfigMessage[]): AgentError {
  const more = errors.length > 1 ? ` And ${counted(errors.length - 1, "more error")}.` : "";
  const first = errors.length > 0 ? sentence(errors[0]).replace(/\.$/, "") : "no reason given";
  return new AgentError("CONFIG_INVALID", `HAProxy refuses the configuration: ${first}.${more}`, {
    hint: "Correct the file; HAProxy serves on with what it had. haproxy_check_config tries it.",
    details: { errors: listed(errors) },
  });
}

/** How a reload would be done. Throws UNSUPPORTED where there is no way. */
async function wayOf({ host }: ToolContext, signal: AbortSignal): Promise<ReloadWay> {
  const { reload: { way, tried } } = await host.call("hostStatus", undefined, { signal });
  if (way !== null) return way;
  const reasons = tried.map(({ way, problem }) => `${way}: ${problem}`).join("; ");
  throw new AgentError("UNSUPPORTED", `HAProxy can't be reloaded from here: ${reasons}.`, {
    hint: "Is HAProxy running? Set HAPROXY_MASTER, HAPROXY_CONTAINER or HAPROXY_RELOAD.",
  });
}

/** Where no way works because there is no HAProxy, that is what has to be said. */
async function notRunning({ runtime }: ToolContext, cause: unknown): Promise<never> {
  if (AgentError.from(cause).code === "UNSUPPORTED") await readProcess(runtime);
  throw cause;
}

async function rehearse(
  context: ToolContext,
  { warnings, unchecked }: FirstCheck,
  signal: AbortSignal,
  start: number,
) {
  const way = await wayOf(context, signal);
  return {
    text: `Dry run, nothing was changed. ${unchecked ?? "The configuration is valid."} ` +
      `HAProxy would be reloaded by ${WAYS[way]}.`,
    structured: {
      reloaded: false,
      way,
      worker_pid: 0,
      duration_ms: Math.round(performance.now() - start),
      restored: { servers: 0, domains: 0, certificates: 0 },
      warnings: listed(warnings),
    },
  };
}

/** The new process. Throws RELOAD_FAILED where there is none, or where it lacks something. */
function servingAfter(
  { runtime: { address } }: ToolContext,
  { replaced, answer: { way, lingering: known = [] }, process, lingering, problems }: Reloaded<
    ReloadOrder
  >,
): HaproxyProcess {
  const failed = (message: string, hint: string) =>
    new AgentError("RELOAD_FAILED", message, { hint, details: { way } });
  if (process === undefined) {
    throw failed(
      `HAProxy was told to reload by ${
        WAYS[way]
      }, and nothing answers at ${address.host}:${address.port} since.`,
      "Look at haproxy.cfg and at HAProxy's log. Once the file is right, reload again, or start HAProxy.",
    );
  }
  if (!replaced) {
    throw failed(
      `HAProxy was told to reload by ${
        WAYS[way]
      }, but process ${process.pid} still serves, unchanged.`,
      "HAProxy's log says why the new worker did not start: a port in use, a file that it can't read.",
    );
  }
  // After somebody else's reload that failed, the master calls the one that serves an old one.
  const old = [...new Set([...known, ...lingering.map(({ pid }) => pid)])]
    .filter((pid) => pid !== process.pid);
  if (old.length > 0) {
    const pids = old.join(", ");
    throw failed(
      `HAProxy was reloaded, and process ${process.pid} serves, but so does the old one (${pids}), with the old ` +
        "configuration and a part of the connections: HAProxy's master could not end it.",
      "The master needs the right to signal its workers, which are another user's (in a container: CAP_KILL). Give it that " +
        "and restart HAProxy, or end the old process as root.",
    );
  }
  if (problems.length === 0) return process;
  throw failed(
    `HAProxy was reloaded, and process ${process.pid} serves, but not all that the files hold: ${
      problems.slice(0, 5).map(({ message }) => message).join(" ")
    }`,
    "Put right what is named, then haproxy_restore_state brings it to HAProxy.",
  );
}

/** The check and the new worker say the same things. */
function distinct(messages: readonly ConfigMessage[]): readonly ConfigMessage[] {
  return [...new Map(messages.map((each) => [sentence(each), each])).values()];
}
