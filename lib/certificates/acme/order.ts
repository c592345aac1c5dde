/** One order from the first look at the zone to the certificate (RFC 8555, 7.4; DNS-01: 8.4). */
import {
  type AcmeAccount,
  type AcmeAuthorizationObjectSnapshot,
  AcmeOrder,
  CryptoKeyUtils,
} from "@fishballpkg/acme";
import { AgentError } from "../../errors.ts";
import { log } from "../../log.ts";
import type { CallContext } from "../../rpc/mod.ts";
import type { AcmeOrdered, AcmeOrderRequest, AcmeRoomSettings, ChallengeSeen } from "./acts.ts";
import type { ChallengeRecords } from "./challenge_records.ts";
import type { Client } from "./client.ts";
import type { DnsProvider } from "./dns_provider.ts";
import { type OrderState, pollOrder } from "./poll.ts";
import { describeProblem, type Problem, problemHint } from "./problem.ts";
import { untilVisible } from "./visibility.ts";

/** Milliseconds for the CA to look at the records, and to issue. */
const VALIDATION_MS = 180_000;
const ISSUE_MS = 180_000;
const STEPS = 6;

export interface OrderParts {
  readonly client: Client;
  readonly dns: DnsProvider;
  readonly records: ChallengeRecords;
  readonly lookUp: (domain: string, signal: AbortSignal) => Promise<readonly ChallengeSeen[]>;
  readonly settings: Pick<AcmeRoomSettings, "dnsWait">;
}

/** An authorization that has still to be proved. */
interface Proof {
  readonly url: string;
  /** Of the TXT record. */
  readonly value: string;
  submit(): Promise<unknown>;
}

/** @throws {AgentError} ACME, TIMEOUT; the signal's reason */
export async function orderCertificate(
  { domain, wildcard, account: key, replaces }: AcmeOrderRequest,
  { client, dns, records, lookUp, settings }: OrderParts,
  { signal, progress }: CallContext,
): Promise<AcmeOrdered> {
  const tell = (step: number, message: string) =>
    progress({ progress: step, total: STEPS, message });
  const names = [domain, ...wildcard ? [`*.${domain}`] : []];

  tell(0, `Looking for the DNS zone of ${domain}`);
  const zone = await dns.zoneOf(domain, signal);

  tell(1, `Ordering a certificate for ${names.join(" and ")} from ${client.host}`);
  const account = await client.account(await client.connect(signal), key);
  const order = await newOrder(client, account, names, replaces, signal);
  const proofs = await openProofs(client, order, domain, signal);

  if (proofs.length > 0) {
    const values = proofs.map(({ value }) => value);
    tell(2, `Adding ${values.length} TXT record(s) _acme-challenge.${domain} to ${zone.name}`);
    await records.during(zone, `_acme-challenge.${domain}`, values, signal, async () => {
      tell(3, `Waiting until the servers of ${zone.name} show the records`);
      await untilVisible({ domain, values, wait: settings.dnsWait, lookUp }, signal);
      tell(4, `The CA looks at the records`);
      for (const { submit } of proofs) {
        await client.step({ doing: `check ${domain}`, signal }, submit);
      }
      const state = await pollOrder(client, order, {
        doing: `check ${domain}`,
        done: ["ready", "valid", "processing"],
        withinMs: VALIDATION_MS,
        signal,
      });
      if (state.status === "invalid") {
        throw await refusedProof(client, account, domain, state, proofs, signal);
      }
    });
  }

  tell(5, "The CA issues the certificate");
  return await issue(client, order, domain, signal);
}

/** An order that the CA refuses to take for a replacement is an order like any other (RFC 9773, 5). */
async function newOrder(
  client: Client,
  account: AcmeAccount,
  names: readonly string[],
  replaces: string | undefined,
  signal: AbortSignal,
): Promise<AcmeOrder> {
  const { newOrder: url, renewalInfo } = account.client.directory;
  const doing = `order a certificate for ${names.join(" and ")}`;
  const identifiers = names.map((value) => ({ type: "dns", value }));
  const place = (payload: Record<string, unknown>) =>
    client.step({ doing, signal }, async () => {
      const response = await account.jwsFetch(url, { payload });
      const { authorizations } = await response.json() as { authorizations: string[] };
      return { url: response.headers.get("Location") ?? "", authorizations };
    });
  let placed;
  try {
    placed = await place({ identifiers, ...replaces && renewalInfo && { replaces } });
  } catch (cause) {
    // Another account's, one that is replaced already, forgotten or not known yet, for which Pebble answers 500: whatever
    // the reason, a plain order is none of it. A CA that is busy is left alone.
    const status = cause instanceof AgentError ? Number(cause.details?.status) : NaN;
    const refused = status >= 400 && status !== 429 && status !== 503;
    if (!replaces || !refused) throw cause;
    log.info(`${AgentError.from(cause).message} It is ordered without naming what it replaces.`);
    placed = await place({ identifiers });
  }
  const { url: orderUrl, authorizations } = placed;
  return await client.step({ doing, signal }, () =>
    AcmeOrder.init({
      account,
      domains: [...names],
      url: orderUrl,
      authorizationUrls: authorizations,
    }));
}

/** What the CA does not take for proved already. */
async function openProofs(
  client: Client,
  order: AcmeOrder,
  domain: string,
  signal: AbortSignal,
): Promise<Proof[]> {
  const doing = `say how ${domain} can be proved`;
  return await client.step({ doing, signal }, async () => {
    const proofs = order.authorizations.map(async (authorization): Promise<Proof[]> => {
      const { status } = await authorization.fetch();
      if (status === "valid") return [];
      const challenge = authorization.findChallenge("dns-01");
      if (status !== "pending" || !challenge) {
        throw new AgentError(
          "ACME",
          `The CA ${client.host} does not let ${authorization.domain} be proved by DNS-01 (its authorization is ${
            client.quote(status)
          }).`,
        );
      }
      const { content: value } = await challenge.getDnsRecordAnswer();
      return [{ url: authorization.url, value, submit: () => challenge.submit() }];
    });
    return (await Promise.all(proofs)).flat();
  });
}

/** Why the order became invalid: in the words of the challenge that failed. */
async function refusedProof(
  client: Client,
  account: AcmeAccount,
  domain: string,
  state: OrderState,
  proofs: readonly Proof[],
  signal: AbortSignal,
): Promise<AgentError> {
  const problems: Problem[] = [];
  for (const { url } of proofs) {
    const { challenges = [] } = await client.step(
      { doing: `say why ${domain} was not proved`, signal },
      async () =>
        await (await account.jwsFetch(url)).json() as Partial<AcmeAuthorizationObjectSnapshot>,
    );
    for (const challenge of challenges as readonly { readonly error?: Problem }[]) {
      if (challenge.error) problems.push(challenge.error);
    }
  }
  const problem = problems[0] ?? state.error ?? {};
  const said = describeProblem(problem, client.quote) ?? "it does not say why";
  return new AgentError("ACME", `The CA ${client.host} could not check ${domain}: ${said}.`, {
    hint: problemHint(problem) ??
      `Look whether the public DNS has ${domain} at this DNS provider, and try again.`,
    details: typeOf(client, problem),
  });
}

async function issue(
  client: Client,
  order: AcmeOrder,
  domain: string,
  signal: AbortSignal,
): Promise<AcmeOrdered> {
  const doing = `issue the certificate for ${domain}`;
  const keys = await client.step({ doing, signal }, () => order.finalize());
  const state = await pollOrder(client, order, {
    doing,
    done: ["valid"],
    withinMs: ISSUE_MS,
    signal,
  });
  if (state.status === "invalid") {
    const problem = state.error ?? {};
    const said = describeProblem(problem, client.quote) ?? "it does not say why";
    throw new AgentError("ACME", `The CA ${client.host} refused to ${doing}: ${said}.`, {
      hint: problemHint(problem),
      details: typeOf(client, problem),
    });
  }
  const certificates = await client.step(
    { doing: `hand out the certificate for ${domain}`, signal },
    async () => await (await order.account.jwsFetch(state.certificate ?? "")).text(),
  );
  if (!certificates.includes("-----BEGIN CERTIFICATE-----")) {
    throw new AgentError("ACME", `The CA ${client.host} answered no certificate for ${domain}.`);
  }
  const { privateKey } = await CryptoKeyUtils.exportKeyPairToPem(keys);
  return { key: `${privateKey}\n`, certificates };
}

function typeOf(client: Client, { type }: Problem): { readonly type?: string } {
  return typeof type === "string" ? { type: client.quote(type) } : {};
}
