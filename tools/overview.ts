/** What the status page shows. Looks at HAProxy and at the files are shared by all who ask within a moment. */
import { daysLeft, seconds } from "../lib/certificates/renewal_time.ts";
import { AgentError } from "../lib/errors.ts";
import { dueOf } from "../lib/issuance/due.ts";
import { type InventoryEntry, isManaged } from "../lib/issuance/inventory.ts";
import { domainOfKey } from "../lib/names/domain.ts";
import type {
  CertificatesView,
  CertificateView,
  ChangeView,
  HaproxyView,
  Overview,
  OverviewQuestion,
  SyncView,
} from "../lib/overview.ts";
import { pause } from "../lib/pause.ts";
import { processOf, readInfo } from "../lib/runtime/process.ts";
import { desiredState } from "../lib/state/model.ts";
import type { ToolContext } from "./context.ts";
import { count } from "./monitoring.ts";
import { listing } from "./overview_backends.ts";
import { type Backends, backendsOn, filledSlots } from "./server_rows.ts";

export interface Overviews {
  /** Answers also where HAProxy does not, or the files can't be read. */
  read(question: OverviewQuestion): Promise<Overview>;
}

const ANSWER_MS = 2_000;
const COMPARE_MS = 5_000;
const FRESH_MS = 1_000;
/** What takes longer to find out, and seldom changes by itself. */
const SLOW_FRESH_MS = 5_000;
/** A comparison that took long is used for so many times as long. */
const FRESH_TIMES = 10;
/** The page does not wait longer for what is being compared: its next answer has it. */
const PATIENCE_MS = 500;

const MAX_CERTIFICATES = 20;
const MAX_DIFFERENCES = 20;
const MAX_CHANGES = 12;
/** Read for them: dry runs are among them. */
const AUDIT_LINES = 60;
const MAX_TEXT = 300;

interface Seen {
  readonly haproxy: HaproxyView;
  readonly backends?: Backends;
}

export function openOverviews(context: ToolContext): Overviews {
  const { transactions, traffic } = context;
  const seeing = shared(() => lookAtHaproxy(context), () => FRESH_MS);
  const certificates = shared(() => readCertificates(context), () => SLOW_FRESH_MS);
  // Of a hundred thousand domains it takes a while. What failed has waited, and cost nothing.
  const comparing = shared(
    () => compare(context),
    (took, { known }) => Math.max(SLOW_FRESH_MS, known ? took * FRESH_TIMES : 0),
  );
  const readChanges = changesReader(context);
  let sync: SyncView = { known: false, why: "Disk and HAProxy are being compared." };

  async function look() {
    const seen = await seeing();
    const why = seen.haproxy.problem;
    if (why !== undefined) return { seen, sync: { known: false, why } as const };
    const compared = comparing().then((found) => void (sync = found));
    await Promise.race([compared, pause(PATIENCE_MS)]);
    return { seen, sync };
  }

  return {
    async read(question) {
      const [{ seen, sync }, ending, changes] = await Promise.all([
        look(),
        certificates(),
        readChanges(),
      ]);
      const { haproxy, backends } = seen;
      const list = await transactions.read((desired) => ({
        domains: desired.keyCount,
        ...listing(desired, backends, question),
      })).catch((cause) => ({
        filesProblem: AgentError.from(cause).message,
        domains: 0,
        ...listing(desiredState(), backends, question),
      }));
      return {
        at: Date.now(),
        haproxy,
        ...list,
        traffic: traffic.samples(),
        certificates: ending,
        sync,
        changes,
      };
    },
  };
}

/**
 * One look for all who ask while it is under way or fresh.
 *
 * @param freshFor milliseconds, from how many it took
 */
function shared<T>(
  look: () => Promise<T>,
  freshFor: (took: number, found: T) => number,
): () => Promise<T> {
  let current: Promise<T> | undefined;
  let until = Infinity;
  return () => {
    if (current === undefined || performance.now() >= until) {
      const start = performance.now();
      until = Infinity;
      current = look();
      void current.then((found) => {
        const now = performance.now();
        until = now + freshFor(now - start, found);
      });
    }
    return current;
  };
}

async function lookAtHaproxy(context: ToolContext): Promise<Seen> {
  const { runtime, shape } = context;
  const address = `${runtime.address.host}:${runtime.address.port}`;
  try {
    // What keeps the files from being read is told beside it.
    const filled = await filledSlots(context).catch(() => new Map());
    return await runtime.converse(async (talk) => {
      const info = await readInfo(talk);
      const { version, pid, startedAt } = processOf(info);
      return {
        haproxy: {
          address,
          process: {
            version,
            pid,
            startedAt: startedAt * 1000,
            connections: count(info, "CurrConns"),
            connectionLimit: count(info, "Maxconn"),
          },
        },
        backends: await backendsOn(talk, filled, shape),
      };
    }, { deadlineMs: ANSWER_MS });
  } catch (cause) {
    return { haproxy: { address, problem: AgentError.from(cause).message } };
  }
}

async function compare({ transactions }: ToolContext): Promise<SyncView> {
  try {
    const { differences, problems } = await transactions.drift(AbortSignal.timeout(COMPARE_MS));
    const names = differences.map(({ kind, name }) =>
      `${kind} ${kind === "domain" ? domainOfKey(name) : name}`
    );
    return {
      known: true,
      differences: names.slice(0, MAX_DIFFERENCES),
      count: names.length,
      problems: problems.slice(0, MAX_DIFFERENCES).map(({ message }) => message),
    };
  } catch (cause) {
    return { known: false, why: AgentError.from(cause).message };
  }
}

/** What HAProxy serves of them is a matter of sync, so it is not asked here. */
async function readCertificates({ issuer }: ToolContext): Promise<CertificatesView> {
  let entries: readonly InventoryEntry[];
  try {
    entries = await issuer.inventory.all({ askHaproxy: false });
  } catch (cause) {
    return { list: [], count: 0, problem: AgentError.from(cause).message };
  }
  const now = new Date();
  const list = entries.filter(({ lines, wanted }) => wanted || lines.length > 0)
    .map((entry) => certificateView(entry, now))
    .sort((a, b) => (a.days ?? -Infinity) - (b.days ?? -Infinity) || (a.name < b.name ? -1 : 1));
  return { list: list.slice(0, MAX_CERTIFICATES), count: list.length };
}

function certificateView(entry: InventoryEntry, now: Date): CertificateView {
  const { name, known, record, problem = "" } = entry;
  const last = record?.last;
  return {
    name,
    issuer: known?.certificate.issuer ?? "",
    notAfter: known?.certificate.notAfter ?? "",
    days: known ? daysLeft(known.certificate.notAfter, now) : null,
    renewal: known && isManaged(entry) ? seconds(dueOf(known.certificate, record?.window).at) : "",
    failure: last && last.code !== "OK" ? short(last.message ?? last.code) : "",
    problem,
  };
}

/** The audit log's last calls, read again once there are more. */
function changesReader({ auditLog, files, paths }: ToolContext): () => Promise<ChangeView[]> {
  let before: { readonly signature: string; readonly changes: ChangeView[] } | undefined;
  return async () => {
    const signature = files.signature(paths.audit);
    if (before?.signature === signature) return before.changes;
    const lines = await auditLog.last(AUDIT_LINES).catch(() => []);
    const changes = lines.toReversed().flatMap(changeIn).slice(0, MAX_CHANGES);
    before = { signature, changes };
    return changes;
  };
}

/** Nothing for a dry run, and for a line that somebody broke. */
function changeIn(line: string): ChangeView[] {
  try {
    const { at, who, tool, args, code, message = "" } = JSON.parse(line);
    if (args?.dry_run === true) return [];
    const words = Object.entries(args ?? {}).map(([name, value]) =>
      `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`
    );
    return [{
      at: String(at),
      who: String(who),
      tool: String(tool),
      args: short(words.join(" ")),
      code: String(code),
      message: short(String(message)),
    }];
  } catch {
    return [];
  }
}

const short = (text: string) => text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
