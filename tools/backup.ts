/** Backup and restore of what the agent owns: orders of main alone, and no tools, as what they carry holds keys. */
import { relative } from "node:path";
import { packBackup, unpackBackup } from "../lib/backup/archive.ts";
import { collect } from "../lib/backup/collect.ts";
import type { Places } from "../lib/backup/owned.ts";
import { type PlanParts, planRestore, type RestorePlan } from "../lib/backup/plan.ts";
import type { Files } from "../lib/config.ts";
import { AgentError } from "../lib/errors.ts";
import { countKinds, countsInWords } from "../lib/reconcile/subject.ts";
import type { CallContext } from "../lib/rpc/mod.ts";
import type { AuditRecord } from "../lib/state/audit.ts";
import type { Caller } from "../lib/tool_definition.ts";
import type { FileChange } from "../lib/transaction/file_changes.ts";
import type { Replaced } from "../lib/transaction/replace.ts";
import type { ToolContext } from "./context.ts";
import { incomplete } from "./save_restore.ts";
import { whatChanged } from "./tool.ts";

interface Order {
  readonly caller: Caller;
  /** Where the archive lies, for errors and the audit log. */
  readonly archive: string;
  /** HAPROXY_ROOT as it was set. */
  readonly root: string;
  readonly places: Places;
  /** `haproxy-mcp 0.1.0`. */
  readonly madeBy: string;
}

export interface BackupOrder extends Order {
  readonly secrets: boolean;
}

export interface BackupAnswer {
  readonly content: Uint8Array<ArrayBuffer>;
  /** When, ISO 8601 UTC. */
  readonly at: string;
  /** Names in the archive. */
  readonly files: readonly string[];
  /** What is not in it, a clause each. */
  readonly leftOut: readonly string[];
  /** Why it could not be restored here, as things are. */
  readonly problem?: string;
}

export interface RestoreOrder extends Order {
  readonly content: Uint8Array;
  readonly dryRun: boolean;
  /** HAProxy is down, and reads the files at its next start. */
  readonly offline: boolean;
  /** Their files, lists and accounts stay as they are. */
  readonly withoutCertificates: boolean;
  /** haproxy.cfg and the unit's settings stay as they are: whoever has the archive may not write them. */
  readonly withoutRoots: boolean;
  /** The caller says that a person has agreed. */
  readonly confirmed: boolean;
  /** preview: a dry run, for the question at the terminal; the others are what a person answered to it. */
  readonly verdict?: "preview" | "accepted" | "declined";
}

export interface RestoreAnswer {
  /** When the backup was made, ISO 8601 UTC. */
  readonly at: string;
  readonly files: readonly {
    /** Below the root. */
    readonly file: string;
    readonly gone: boolean;
    /** That go (-) and come (+). */
    readonly lines: readonly string[];
  }[];
  /** What of the backup is not put in place, a clause each. */
  readonly kept: readonly string[];
  /** Certificates' files that no list names any more: HAProxy serves them until it is reloaded. */
  readonly unlisted: readonly string[];
  /** Absent where it was not asked. */
  readonly haproxy?: {
    /** `1 domain and 2 servers`. */
    readonly changed: string;
    readonly unchanged: number;
  };
  /** Where the files lie that were replaced, secrets included; absent where none was. */
  readonly before?: string;
}

export function backup(
  order: BackupOrder,
  context: ToolContext,
  { signal }: CallContext,
): Promise<BackupAnswer> {
  const { archive, secrets } = order;
  const args = { file: archive, with_secrets: secrets };
  return audited({ tool: "backup", args }, order, context, async () => {
    const at = new Date().toISOString();
    const manifest = { ...originOf(order, context), at, secrets };
    const isOpen = hasNoSecrets(context, signal);
    const { files, leftOut } = await context.transactions.settled(
      () => collect({ ...context, places: order.places }, { secrets, audit: true, isOpen }),
      signal,
    );
    const made = { manifest, files };
    const options = { archive, withoutCertificates: false };
    const problem = await planRestore(made, partsOf(order, context), options)
      .then(() => undefined, (cause) => AgentError.from(cause).message);
    const answer = {
      content: packBackup(made),
      at,
      files: [...files.keys()],
      leftOut,
      ...(problem !== undefined && { problem }),
    };
    return { answer };
  });
}

export function restore(
  order: RestoreOrder,
  context: ToolContext,
  { signal }: CallContext,
): Promise<RestoreAnswer> {
  const { archive, dryRun, offline, withoutCertificates, withoutRoots } = order;
  const args = {
    file: archive,
    dry_run: dryRun,
    offline,
    without_certificates: withoutCertificates,
    confirm: order.confirmed,
  };
  return audited({ tool: "restore", args }, order, context, async () => {
    assertAllowed(order, context);
    const content = unpackBackup(order.content, archive);
    const { paths, transactions } = context;
    let rest: Pick<RestorePlan, "kept" | "unlisted"> = { kept: [], unlisted: [] };
    const { changes, haproxy } = await transactions.replace({
      signal,
      dryRun,
      offline,
      withoutCertificates,
      async plan() {
        const options = { archive, withoutCertificates, withoutRoots };
        const { changes, ...more } = await planRestore(content, partsOf(order, context), options);
        rest = more;
        if (!dryRun && changes.length > 0) await keepWhatIsThere(order, context);
        return changes;
      },
    });
    const files = changes.map((change) => described(change, paths.root));
    const answer = {
      at: content.manifest.at,
      files,
      ...rest,
      ...(haproxy && {
        haproxy: {
          changed: countsInWords(countKinds(haproxy.changed)),
          unchanged: haproxy.unchanged,
        },
      }),
      ...(!dryRun && changes.length > 0 && { before: paths.beforeRestore }),
    };
    const lines = files.flatMap(({ file, lines }) => lines.map((line) => `${file}: ${line}`));
    return {
      answer,
      ...(haproxy && haproxy.problems.length > 0 && { problem: notInLine(haproxy, paths) }),
      ...(!dryRun && {
        changed: whatChanged(lines, `${files.length} files, of ${content.manifest.at}`),
      }),
    };
  });
}

/** The files are what they were; the error must not let anybody think that nothing was done. */
function notInLine(
  { problems, changed }: NonNullable<Replaced["haproxy"]>,
  { beforeRestore }: Pick<Files, "beforeRestore">,
): AgentError {
  const { code, message, hint, details } = incomplete(problems, changed.length);
  return new AgentError(code, `The files are restored. ${message}`, {
    hint: `${hint} What was there before is kept as ${beforeRestore}.`,
    details,
  });
}

function assertAllowed(
  { dryRun, confirmed, verdict }: RestoreOrder,
  { readOnly, confirm }: ToolContext,
): void {
  if (readOnly) {
    throw new AgentError("REFUSED", "restore changes things, and MCP_READ_ONLY is set.");
  }
  if (verdict === "declined") {
    throw new AgentError("CANCELLED", "restore was declined. Nothing was changed.");
  }
  if (confirm === "require" && !dryRun && !confirmed && verdict !== "accepted") {
    throw new AgentError("CONFIRMATION_NEEDED", "restore has to be confirmed.", {
      hint: "Ask the person, then call again with --confirm.",
    });
  }
}

/** As a backup, which can be restored in its turn. Keys too: they may be among what is replaced. */
async function keepWhatIsThere(order: RestoreOrder, context: ToolContext): Promise<void> {
  const { files, paths } = context;
  const here = await collect({ ...context, places: order.places }, {
    secrets: true,
    audit: false,
    isOpen: () => Promise.resolve(true),
  });
  const at = new Date().toISOString();
  const manifest = { ...originOf(order, context), at, secrets: true };
  const content = packBackup({ manifest, files: here.files });
  await files.replace(paths.beforeRestore, content, { always: 0o600 });
}

const originOf = ({ madeBy, root }: Order, { shape }: ToolContext) => ({
  made_by: madeBy,
  root,
  pools: shape.poolCount,
  slots: shape.maxSlots,
});

const partsOf = (
  { places, root }: Order,
  { files, paths, shape }: ToolContext,
): PlanParts => ({ files, paths, shape, places, root });

/** Main says what haproxy.cfg is without its secrets; one that is edited just now is taken for one that has some. */
function hasNoSecrets({ host }: ToolContext, signal: AbortSignal) {
  return async (config: Uint8Array): Promise<boolean> => {
    const shown = await host.call("readConfig", undefined, { signal }).catch(() => undefined);
    return shown === new TextDecoder().decode(config);
  };
}

const described = ({ file, text, lines }: FileChange, root: string) => ({
  file: relative(root, file),
  gone: text === null,
  lines,
});

/** One line of the audit log, whatever comes of it. */
async function audited<T>(
  call: Pick<AuditRecord, "tool" | "args">,
  { caller, verdict }: Order & Pick<RestoreOrder, "verdict">,
  context: ToolContext,
  act: () => Promise<{
    readonly answer: T;
    readonly changed?: readonly string[];
    /** What was done was not all: it is thrown. */
    readonly problem?: AgentError;
  }>,
): Promise<T> {
  const start = performance.now();
  const write = (outcome: Pick<AuditRecord, "code" | "message" | "changed">) =>
    context.audit({
      ...call,
      caller,
      ...(verdict && verdict !== "preview" && { answer: verdict }),
      ...outcome,
      ms: Math.round(performance.now() - start),
    });
  const { answer, changed, problem } = await act().catch(async (cause) => {
    const error = AgentError.from(cause);
    await write({ code: error.code, message: error.message });
    throw error;
  });
  const outcome = problem ? { code: problem.code, message: problem.message } : { code: "OK" };
  if (verdict !== "preview") await write({ ...outcome, ...(changed && { changed }) });
  if (problem) throw problem;
  return answer;
}
