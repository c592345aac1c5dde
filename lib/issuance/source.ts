/** Where certificates come from: the built-in ACME client in its room, or acme.sh. Both prove the domain by DNS-01. */
import { join } from "node:path";
import { sha256 } from "../bytes.ts";
import type { AcmeAccountKey, AcmeActs, RenewalInfo } from "../certificates/acme/acts.ts";
import type { AcmeClientName } from "../config/acme.ts";
import { AgentError } from "../errors.ts";
import { connect, type Handlers, type Peer, type Progress } from "../rpc/mod.ts";
import type { RootFiles } from "../sandbox/files.ts";

/** What acme.sh has issued: its files, under the root. */
export interface AcmeShIssued {
  /** The private key, PEM. */
  readonly keyFile: string;
  /** Certificate and chain, PEM. */
  readonly chainFile: string;
}

/** What is asked of main for an order; the rest of what it does is in tools/host_acts.ts. */
export interface OrderActs {
  /**
   * Opens an acme room that answers AcmeActs (lib/certificates/acme/acts.ts) at the other end of `port`, and ends it with
   * this call: so the caller aborts it. Throws ACME where the room is lost, VALIDATION for a secret's file that can't be
   * read.
   */
  acmeRoom(args: { readonly port: MessagePort }): Promise<void>;
  /**
   * Lets acme.sh issue a certificate for the domain, and its wildcard, whether or not it has one that is still good.
   * Throws UNSUPPORTED where there is no acme.sh, ACME with its own words, TIMEOUT.
   */
  acmeShIssue(args: { readonly domain: string; readonly wildcard: boolean }): Promise<AcmeShIssued>;
  /** Removes what acme.sh has issued for the domain. False: there was nothing. */
  acmeShForget(args: { readonly domain: string }): Promise<boolean>;
}

export interface Order {
  readonly domain: string;
  readonly wildcard: boolean;
  /** The ARI identifier of the certificate that this one takes the place of. */
  readonly replaces?: string;
}

/** PEM each. */
export interface Ordered {
  readonly key: string;
  readonly certificates: string;
}

export interface OrderContext {
  readonly signal: AbortSignal;
  progress(progress: Progress): void;
}

export interface CertificateSource {
  readonly client: AcmeClientName;
  /** URL of the CA's directory. */
  readonly directory: string;
  /** Throws ACME, TIMEOUT, CANCELLED or UNSUPPORTED; no TXT record is left. An abort waits until that is so. */
  order(order: Order, context: OrderContext): Promise<Ordered>;
  /** The token, the zone and the CA, without an order. Throws ACME. */
  check(domain: string, signal: AbortSignal): Promise<{ readonly zone: string }>;
  /** Asks the CA about several certificates, by their ARI identifiers; null where it has nothing to say, or why it does not. */
  renewalInfo(
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, RenewalInfo | AgentError | null>>;
  /** Lets acme.sh forget a domain that it has issued for; false where it knows nothing of it. */
  forget(domain: string): Promise<boolean>;
}

export interface SourceParts {
  readonly client: AcmeClientName;
  readonly directory: string;
  readonly files: RootFiles;
  /** Account keys lie here. */
  readonly acmeFolder: string;
  readonly host: Pick<Peer<OrderActs & Handlers>, "call">;
}

/** Past these an order counts as lost; ACME_DNS_WAIT, and what the CA may take, lie well below. */
const ORDER_MS = 18 * 60_000;
const QUESTION_MS = 60_000;
/** An order that was cancelled removes its TXT records first. */
const CLEAN_UP_MS = 60_000;

type AccountParts = Pick<SourceParts, "files" | "acmeFolder" | "directory">;

/** One file a CA, so that another CA gets an account of its own. */
function accountFile({ acmeFolder, directory }: AccountParts): string {
  return join(acmeFolder, `account-${sha256(directory).slice(0, 16)}.json`);
}

async function readAccount(parts: AccountParts): Promise<AcmeAccountKey | undefined> {
  const path = accountFile(parts), { files } = parts;
  // Nor need there be a folder.
  const text = files.signature(path) === "missing" ? undefined : await files.read(path);
  if (text === undefined) return undefined;
  try {
    const { key, url } = JSON.parse(text);
    if (typeof key === "string" && typeof url === "string") return { key, url };
  } catch {
    // Said below.
  }
  throw new AgentError("STATE_CORRUPT", `${path} is not an ACME account's key.`, {
    hint: "Put back a good copy, or move the file away: a new account is made then.",
  });
}

/** The CA knows us, or is left to acme.sh, which keeps an account of its own. Throws STATE_CORRUPT or STATE_IO. */
export async function hasAccount(
  parts: AccountParts & Pick<SourceParts, "client">,
): Promise<boolean> {
  return parts.client === "acme.sh" || await readAccount(parts) !== undefined;
}

export function certificateSource(parts: SourceParts): CertificateSource {
  const { client, directory, files, acmeFolder, host } = parts;

  /** Opens a room for `use`, and ends it with it. */
  async function withRoom<T>(use: (acme: Peer<AcmeActs & Handlers>) => Promise<T>): Promise<T> {
    const { port1, port2 } = new MessageChannel();
    const over = new AbortController();
    const room = host.call("acmeRoom", { port: port2 }, {
      transfer: [port2],
      signal: over.signal,
    });
    const lost = room.then(() => {
      throw new AgentError("ACME", "The acme room ended.");
    });
    try {
      return await Promise.race([lost, use(connect<AcmeActs & Handlers>(port1))]);
    } finally {
      over.abort();
      port1.close();
      await room.catch(() => {});
    }
  }

  async function account(
    acme: Peer<AcmeActs & Handlers>,
    signal: AbortSignal,
  ): Promise<AcmeAccountKey> {
    await files.makeFolder(acmeFolder);
    const before = await readAccount(parts);
    const after = await acme.call("account", before, { signal, deadlineMs: QUESTION_MS });
    if (after.key !== before?.key || after.url !== before.url) {
      const text = `${JSON.stringify({ directory, ...after }, null, 2)}\n`;
      await files.replace(accountFile(parts), text, { always: 0o600 });
    }
    return after;
  }

  async function check(acme: Peer<AcmeActs & Handlers>, domain: string, signal: AbortSignal) {
    const registered = await hasAccount(parts);
    return await acme.call("check", { domain, registered }, { signal, deadlineMs: QUESTION_MS });
  }

  const viaRoom = (order: Order, { signal, progress }: OrderContext) =>
    withRoom(async (acme) => {
      signal.throwIfAborted();
      // What is missing is better said before anything is made at the CA.
      await check(acme, order.domain, signal);
      progress({ progress: 0, total: 6, message: `account at ${new URL(directory).host}` });
      const request = { ...order, account: await account(acme, signal) };
      return await acme.call("order", request, {
        signal,
        deadlineMs: ORDER_MS,
        graceMs: CLEAN_UP_MS,
        onProgress: progress,
      });
    });

  async function viaAcmeSh({ domain, wildcard }: Order, { signal, progress }: OrderContext) {
    // A bad token and a missing zone look alike there.
    await source.check(domain, signal);
    signal.throwIfAborted();
    progress({ progress: 1, total: 2, message: "acme.sh orders the certificate" });
    const made = await host.call("acmeShIssue", { domain, wildcard }, {
      signal,
      deadlineMs: ORDER_MS,
      graceMs: CLEAN_UP_MS,
    });
    const [key, certificates] = await Promise.all(
      [made.keyFile, made.chainFile].map((file) => files.read(file)),
    );
    if (key !== undefined && certificates !== undefined) return { key, certificates };
    throw new AgentError("ACME", `acme.sh left no ${made.keyFile} or no ${made.chainFile}.`);
  }

  const source: CertificateSource = {
    client,
    directory,
    order: client === "builtin" ? viaRoom : viaAcmeSh,
    check: (domain, signal) => withRoom((acme) => check(acme, domain, signal)),
    renewalInfo: (ids, signal) =>
      withRoom(async (acme) => {
        const found = new Map<string, RenewalInfo | AgentError | null>();
        for (const id of ids) {
          signal.throwIfAborted();
          const answer = acme.call("renewalInfo", { id }, { signal, deadlineMs: QUESTION_MS });
          found.set(id, await answer.catch(AgentError.from));
        }
        return found;
      }),
    forget: (domain) => host.call("acmeShForget", { domain }, { deadlineMs: QUESTION_MS }),
  };
  return source;
}
