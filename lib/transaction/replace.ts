/** A restore of files: they are settled, replaced as a whole, and HAProxy is brought in line, with no change in between. */
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import { onlyProcess, readProcess } from "../reconcile/processes.ts";
import type { RuntimeClient } from "../runtime/connection.ts";
import type { CertificateKeeper } from "./certificates/keeper.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { FileChange } from "./file_changes.ts";
import type { Reconciled } from "./reload.ts";
import type { Replacement } from "./replacement.ts";
import type { Finisher } from "./unfinished.ts";
import { waitingWith } from "./waiting.ts";

export interface ReplaceRequest {
  readonly signal: AbortSignal;
  /** Plans, and changes nothing. */
  readonly dryRun: boolean;
  /** HAProxy is down, and reads the files at its next start. */
  readonly offline: boolean;
  /** The plan has no file of a certificate. */
  readonly withoutCertificates: boolean;
  /** With the files as far in order as they can be. What it throws is passed on, with nothing replaced. */
  plan(): Promise<readonly FileChange[]>;
}

export interface Replaced {
  readonly changes: readonly FileChange[];
  /** Absent where HAProxy was not asked. */
  readonly haproxy?: Reconciled;
}

export interface ReplaceParts {
  readonly runtime: RuntimeClient;
  readonly unfinished: Finisher;
  readonly saving: Checkpoints;
  readonly certificates: Pick<CertificateKeeper, "finish">;
  readonly replacement: Replacement;
  /** Under the file lock alone. */
  readonly hold: <T>(act: () => Promise<T>) => Promise<T>;
  readonly exclusive: <T>(act: () => Promise<T>) => Promise<T>;
  readonly bringInLine: () => Promise<Reconciled>;
}

export function replacer(parts: ReplaceParts) {
  const { runtime, unfinished, saving, certificates, replacement, bringInLine } = parts;

  /** Whatever was cut off is finished, and the journals are empty. */
  async function settle(): Promise<void> {
    await unfinished.finish();
    await saving.catchUp();
    const [problem] = await certificates.finish();
    if (problem) throw problem;
  }

  /** True where nothing is left to be finished; false where that, or the files themselves, are what is wrong. */
  const settledAtBest = (): Promise<boolean> =>
    unfinished.refresh().then(settle).then(() => true, (cause) => {
      log.warning(
        `What lies here is restored over as it is: ${AgentError.from(cause).message}`,
      );
      return false;
    });

  async function assertUp(): Promise<void> {
    await onlyProcess(runtime).catch((cause) => {
      const { code, message, details } = AgentError.from(cause);
      if (code !== "HAPROXY_UNREACHABLE") throw cause;
      throw new AgentError(code, message, {
        hint: "Start HAProxy; where it can't start with what lies here, restore with --offline. " +
          "Nothing was changed.",
        details,
        cause,
      });
    });
  }

  async function assertDown(): Promise<void> {
    const process = await readProcess(runtime).catch((cause) => {
      if (AgentError.from(cause).code !== "HAPROXY_UNREACHABLE") throw cause;
    });
    if (!process) return;
    const { host, port } = runtime.address;
    throw new AgentError("REFUSED", `HAProxy answers at ${host}:${port}, process ${process.pid}.`, {
      hint: "Leave --offline out, so that it gets what is restored. Nothing was changed.",
    });
  }

  async function replace(request: ReplaceRequest): Promise<Replaced> {
    const { dryRun, offline, withoutCertificates, plan } = request;
    if (offline) await assertDown();
    else await assertUp();
    const isSettled = await settledAtBest();
    const changes = await plan();
    if (dryRun) return { changes };
    // What the journals hold would come over what is restored.
    if (changes.length > 0 || !isSettled) {
      await replacement.carryOut(changes, { withoutCertificates });
    }
    try {
      await unfinished.refresh();
      if (!offline) return { changes, haproxy: await bringInLine() };
      await saving.catchUp();
      return { changes };
    } catch (cause) {
      throw changes.length > 0 ? restUnknown(cause) : cause;
    }
  }

  return {
    /** Runs `act` while no change is under way, with whatever was cut off finished. HAProxy is asked only for that. */
    settled: <T>(act: () => Promise<T>, signal: AbortSignal): Promise<T> =>
      waitingWith(signal, parts.hold, () =>
        parts.exclusive(async () => {
          await unfinished.refresh();
          await settle().catch((cause) => {
            throw notSettled(cause);
          });
          return await act();
        })),
    /**
     * First the files, all or none; then HAProxy is brought in line, and what breaks that off is OUTCOME_UNKNOWN. Throws
     * HAPROXY_UNREACHABLE where HAProxy does not answer beforehand, or REFUSED where it does and should not; CONFLICT where
     * two share the port.
     */
    replace: (request: ReplaceRequest): Promise<Replaced> =>
      waitingWith(request.signal, parts.hold, () => parts.exclusive(() => replace(request))),
  };
}

function notSettled(cause: unknown): AgentError {
  const { code, message, hint, details } = AgentError.from(cause);
  return new AgentError(code, `A change was cut off, and can't be finished: ${message}`, {
    hint,
    details,
    cause,
  });
}

/** A refusal that says "nothing was changed" would be a lie here. */
function restUnknown(cause: unknown): AgentError {
  const { code, message } = AgentError.from(cause);
  return new AgentError(
    "OUTCOME_UNKNOWN",
    `The files are restored; whether HAProxy is as they say is not known: ${message}`,
    { hint: "haproxy_restore_state looks again, and sends only what differs.", details: { code } },
  );
}
