/**
 * acme.sh issues certificates: one run at a time, each with a home of its own (acme_sh_home.ts). What outlives a run lies
 * under the root, as data that main writes and nobody runs: the account, and each domain's key and chain.
 */
import { basename, isAbsolute, join } from "node:path";
import type { AcmeSettings, Files } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import { log } from "../../log.ts";
import { parseDomain } from "../../names/domain.ts";
import type { CallContext } from "../../rpc/mod.ts";
import { openRoot, type RootFiles } from "../../sandbox/files.ts";
import type { AcmeShIssued, OrderActs } from "../../issuance/source.ts";
import { unlessAborted } from "../../pause.ts";
import { roomSettings } from "./acme_room.ts";
import { type AcmeShAccount, type AcmeShHome, makeAcmeShHome } from "./acme_sh_home.ts";
import { acmeShReasons } from "./acme_sh_words.ts";
import { type Ended, findProgram, isProgram, run, SYSTEM_PATH } from "./program.ts";

const ISSUE_MS = 5 * 60_000;
/** Told to stop, it takes its TXT records out again: in 2 s where all is well, but each request may take half a minute. */
const STOP_MS = 2 * 60_000;
/** acme.sh does not look for the record, it only waits. */
const DNS_SLEEP = { least: 1, most: 30 };
const MAX_ACCOUNT_BYTES = 64 * 1024;
const PRIVATE = { always: 0o600 };

export interface AcmeShOptions {
  readonly acme: AcmeSettings;
  readonly files: Pick<Files, "root" | "acmeFolder">;
  /** As in $PATH. */
  readonly path: string;
  /** For tests. @default {5 minutes} */
  readonly issueMs?: number;
}

type ActNames = "acmeShIssue" | "acmeShForget";
export type AcmeShActs = {
  readonly [Name in ActNames]: (
    args: Parameters<OrderActs[Name]>[0],
    context: Pick<CallContext, "signal">,
  ) => ReturnType<OrderActs[Name]>;
};

/** Cancelled, acmeShIssue rejects when acme.sh has taken its TXT records out; the next one waits for that, too. */
export function acmeShActs(
  { acme, files: { root, acmeFolder }, path, issueMs = ISSUE_MS }: AcmeShOptions,
): AcmeShActs {
  const found = findAcmeSh(acme, path);
  const folder = join(acmeFolder, "acme.sh");
  const kept = (domain: string): AcmeShIssued => ({
    keyFile: join(folder, `${domain}.key`),
    chainFile: join(folder, `${domain}.cer`),
  });
  let lastRun: Promise<unknown> = Promise.resolve();

  async function issue(domain: string, wildcard: boolean, signal: AbortSignal) {
    const program = usable(found, acme);
    const { caPem, eab, email, cloudflare: { token, accountId, zoneId } } = await roomSettings(
      acme,
    );
    if (token === undefined) {
      throw new AgentError("VALIDATION", "CF_Token is not set: acme.sh proves domains by it.");
    }
    const files = await openRoot(root);
    for (const path of [acmeFolder, folder]) await files.makeFolder(path);
    await Deno.chmod(folder, 0o700);
    const accountFile = join(folder, `account-${await shortHash(acme.directory)}.json`);
    const account = await readAccount(files, accountFile);
    const home = await makeAcmeShHome({ root, account, eab, caPem });
    try {
      const ended = await run(program, issueCommand(domain, wildcard, { ...acme, email }, home), {
        signal,
        deadlineMs: issueMs,
        stopMs: STOP_MS,
        env: {
          HOME: home.path,
          CF_Token: token,
          ...(accountId && { CF_Account_ID: accountId }),
          ...(zoneId && { CF_Zone_ID: zoneId }),
        },
      });
      if (ended.code !== 0) {
        const secrets = [token, accountId, zoneId, eab?.kid, eab?.hmacKey];
        if (account && UNKNOWN_ACCOUNT.test(ended.stderr)) await files.remove(accountFile);
        throw notIssued(domain, ended, secrets.filter((secret) => secret !== undefined));
      }
      const { key, chain } = await home.issued(domain);
      await files.replace(kept(domain).keyFile, key, PRIVATE);
      await files.replace(kept(domain).chainFile, chain, PRIVATE);
      if (/^.*Error removing txt for domain/m.test(ended.stderr)) {
        warnOfRecords(domain, "failed to");
      }
      return kept(domain);
    } finally {
      await keepAccount(files, accountFile, account, await home.account());
      if (!await home.ended()) warnOfRecords(domain, "ended before it could");
      await home.remove();
    }
  }

  async function keepAccount(
    files: RootFiles,
    file: string,
    before: AcmeShAccount | undefined,
    now: AcmeShAccount | undefined,
  ): Promise<void> {
    if (now === undefined || before?.url === now.url) return;
    const { key, url } = now;
    const text = JSON.stringify({ directory: acme.directory, url, key }, undefined, 2);
    await files.replace(file, `${text}\n`, PRIVATE);
  }

  async function readAccount(files: RootFiles, file: string): Promise<AcmeShAccount | undefined> {
    const text = await files.read(file, MAX_ACCOUNT_BYTES);
    if (text === undefined) return undefined;
    try {
      const { directory, url, key } = JSON.parse(text);
      if (directory === acme.directory && isUrl(url) && isKey(key)) return { url, key };
    } catch {
      // No JSON.
    }
    log.warning(`${file} holds no account: acme.sh will register a new one.`);
  }

  return {
    async acmeShIssue({ domain, wildcard }, { signal }) {
      const { name } = plainDomain(domain);
      const before = lastRun;
      const work = unlessAborted(before, signal).then(() => issue(name, wildcard === true, signal));
      lastRun = Promise.allSettled([before, work]);
      return await work;
    },

    async acmeShForget({ domain }) {
      const { keyFile, chainFile } = kept(plainDomain(domain).name);
      const files = await openRoot(root);
      const names = await files.names(folder);
      for (const file of [keyFile, chainFile]) {
        if (names.includes(basename(file))) await files.remove(file);
      }
      return names.includes(basename(keyFile)) || names.includes(basename(chainFile));
    },
  };
}

function issueCommand(
  domain: string,
  wildcard: boolean,
  { directory, dnsWait, email }: Pick<AcmeSettings, "directory" | "dnsWait" | "email">,
  { path, caBundle }: AcmeShHome,
): string[] {
  const sleep = Math.min(Math.max(dnsWait, DNS_SLEEP.least), DNS_SLEEP.most);
  return [
    ...["--issue", "--dns", "dns_cf", "-d", domain, ...(wildcard ? ["-d", `*.${domain}`] : [])],
    ...["--server", directory, "--keylength", "ec-256", "--dnssleep", String(sleep)],
    ...["--config-home", path, "--no-color"],
    ...(caBundle ? ["--ca-bundle", caBundle] : []),
    ...(email ? ["--accountemail", email] : []),
  ];
}

/** The program that ACME_SH names, else `acme.sh` in PATH. */
function findAcmeSh({ acmeSh }: AcmeSettings, path: string): string | undefined {
  if (acmeSh !== undefined && isAbsolute(acmeSh)) return acmeSh;
  return findProgram(acmeSh ?? "acme.sh", path);
}

/** Throws UNSUPPORTED where acme.sh, or the curl that it needs, is not there. */
export function assertAcmeSh(acme: AcmeSettings, path: string): void {
  usable(findAcmeSh(acme, path), acme);
}

function usable(program: string | undefined, { acmeSh }: AcmeSettings): string {
  const hint = "Install acme.sh and let ACME_SH name it, or set ACME_CLIENT=builtin.";
  const named = acmeSh === undefined ? "acme.sh" : `ACME_SH=${acmeSh}`;
  if (program === undefined) {
    throw new AgentError("UNSUPPORTED", `${named} is in no folder of PATH.`, { hint });
  }
  if (!isProgram(program)) {
    throw new AgentError("UNSUPPORTED", `${named} is no executable file.`, { hint });
  }
  // It would take wget, too, but not without the token among its arguments, for everybody to see.
  if (findProgram("curl", SYSTEM_PATH) === undefined) {
    throw new AgentError("UNSUPPORTED", "acme.sh needs curl, and there is none.", {
      hint: "Install curl.",
    });
  }
  return program;
}

const UNKNOWN_ACCOUNT = /:accountDoesNotExist/;
/** By what acme.sh says. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /invalid domain/,
    "Cloudflare does not take CF_Token, or the token sees no zone for the domain.",
  ],
  [/:externalAccountRequired/, "Set ACME_EAB_KID and ACME_EAB_HMAC_KEY."],
  [UNKNOWN_ACCOUNT, "Try again: acme.sh registers a new account then."],
  [/error code: 60/, "Let ACME_CA_FILE name the root of the CA's own certificate."],
];

function notIssued(domain: string, ended: Ended, secrets: readonly string[]): AgentError {
  const reasons = acmeShReasons(ended, secrets) || `it ended with ${ended.code}`;
  return new AgentError("ACME", `acme.sh issued no certificate for ${domain}: ${reasons}.`, {
    hint: HINTS.find(([words]) => words.test(ended.stderr))?.[1],
  });
}

function warnOfRecords(domain: string, what: string): void {
  log.warning(
    `acme.sh ${what} remove its TXT records: look for _acme-challenge.${domain} at Cloudflare.`,
  );
}

function plainDomain(text: unknown) {
  const domain = parseDomain(String(text));
  if (!domain.wildcard) return domain;
  throw new AgentError("VALIDATION", `acme.sh is asked for ${domain.name} by its plain domain.`);
}

/** They become a line of shell code. */
const isUrl = (url: unknown) =>
  typeof url === "string" && /^https:\/\/[\w.:\[\]-]+\/[\w.~%/?=&:+-]*$/.test(url);
const isKey = (key: unknown) =>
  typeof key === "string" &&
  /^-----BEGIN [\w ]+-----\n[\w+/=\n -]+-----END [\w ]+-----\n*$/.test(key);

async function shortHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex().slice(0, 16);
}
