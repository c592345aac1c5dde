/** TXT records at Cloudflare, by its API v4 and a token with Zone:Read and DNS:Edit. */
import { AgentError } from "../../errors.ts";
import { log } from "../../log.ts";
import type { AcmeRoomSettings } from "./acts.ts";
import type { AddedTxt, DnsProvider, DnsZone, TxtRecord } from "./dns_provider.ts";
import type { Outgoing } from "./outgoing.ts";
import { hintOf, persist, retryAfterDetail } from "./retry_after.ts";

/** Tells the agent's records from everybody else's. */
const COMMENT = "haproxy-mcp";
/** The least that Cloudflare takes. */
const TTL = 60;
const WHO = "Cloudflare";
const WANTED_TOKEN = "Set CF_Token to a Cloudflare token with Zone:Read and DNS:Edit for the zone.";

/** Codes of its API: https://developers.cloudflare.com/api/ and its users' reports. */
const IDENTICAL_RECORD = [81057, 81058];
const TOKEN_REFUSED = [1000, 6003, 6111, 9103, 9106, 9109, 10000];

interface Envelope {
  readonly success?: boolean;
  readonly result?: unknown;
  readonly errors?: readonly { readonly code?: number; readonly message?: string }[];
}
interface Zone {
  readonly id: string;
  readonly name: string;
}
interface ZoneRecord {
  readonly id: string;
  readonly name: string;
  readonly content: string;
  readonly comment?: string | null;
  readonly created_on?: string;
}

export function openCloudflare(
  { token, accountId, zoneId, api }: AcmeRoomSettings["cloudflare"],
  outgoing: Outgoing,
): DnsProvider {
  /** @param doing for errors: `add the TXT record _acme-challenge.example.com` */
  function call(
    doing: string,
    signal: AbortSignal,
    path: string,
    init: RequestInit = {},
  ): Promise<unknown> {
    return persist(signal, async () => {
      const response = await outgoing.request(WHO, api + path, {
        ...init,
        headers: { "Authorization": `Bearer ${token}`, "Content-Type": "application/json" },
        signal,
      });
      const answer = await readEnvelope(response);
      if (response.ok && answer?.success) return answer.result;
      throw refusal(response, answer, doing);
    });
  }

  function refusal(response: Response, answer: Envelope | undefined, doing: string): AgentError {
    const { status, headers } = response;
    const errors = Array.isArray(answer?.errors) ? answer.errors : [];
    const codes = errors.map((error) => Number(error?.code));
    const said = errors.map((error) => outgoing.quote(error?.message).replace(/\.$/, ""))
      .join("; ");
    const limited = status === 429;
    const when = limited || status === 503 ? retryAfterDetail(headers) : {};
    const details = { status, ...codes.length > 0 && { codes }, ...when };
    if (status === 401 || codes.some((code) => TOKEN_REFUSED.includes(code))) {
      const words = said && `: ${said}`;
      return new AgentError("ACME", `${WHO} did not take CF_Token to ${doing}${words}.`, {
        hint:
          "Give a token that has not expired, with the permissions Zone:Read and DNS:Edit for the zone.",
        details,
      });
    }
    const message = said
      ? `${WHO} refused to ${doing}: ${said}.`
      : `${WHO} answered ${status} when it was asked to ${doing}.`;
    return new AgentError("ACME", message, {
      hint: limited || status >= 500 ? hintOf(when) : undefined,
      details,
    });
  }

  async function zoneOf(domain: string, signal: AbortSignal): Promise<DnsZone> {
    if (!token) {
      throw new AgentError(
        "ACME",
        `There is no CF_Token, so ${domain} can't be proved by its DNS zone.`,
        { hint: WANTED_TOKEN },
      );
    }
    return openZone(await (zoneId ? givenZone(zoneId, domain, signal) : findZone(domain, signal)));
  }

  async function tryToken(signal: AbortSignal): Promise<void> {
    if (!token) {
      throw new AgentError("ACME", "There is no CF_Token, so no domain can be proved by DNS.", {
        hint: WANTED_TOKEN,
      });
    }
    // Not every token may list zones, but what verifies tokens takes only those of users, not those of accounts.
    const query = new URLSearchParams({
      per_page: "5",
      ...accountId && { "account.id": accountId },
    });
    const path = zoneId ? `/zones/${encodeURIComponent(zoneId)}` : `/zones?${query}`;
    await call(zoneId ? "show the zone of CF_Zone_ID" : "list the zones", signal, path);
  }

  async function givenZone(id: string, domain: string, signal: AbortSignal): Promise<Zone> {
    const zone = readZone(
      await call("show the zone of CF_Zone_ID", signal, `/zones/${encodeURIComponent(id)}`),
    );
    if (zone && (domain === zone.name || domain.endsWith(`.${zone.name}`))) return zone;
    throw new AgentError(
      "ACME",
      `CF_Zone_ID is the zone ${outgoing.quote(zone?.name)}, which does not hold ${domain}.`,
      { hint: "Leave CF_Zone_ID away: the zone is found by the domain's name." },
    );
  }

  async function findZone(domain: string, signal: AbortSignal): Promise<Zone> {
    const labels = domain.split(".");
    const tried = labels.slice(0, -1).map((_, index) => labels.slice(index).join("."));
    for (const name of tried) {
      const query = new URLSearchParams({ name, ...accountId && { "account.id": accountId } });
      const found = await call(`look for the zone ${name}`, signal, `/zones?${query}`);
      const zone = readList(found).map(readZone).find((zone) => zone?.name === name);
      if (zone) return zone;
    }
    throw new AgentError(
      "ACME",
      `No zone at Cloudflare that CF_Token may see holds ${domain}: tried ${tried.join(", ")}.`,
      {
        hint: accountId
          ? "Give a token for the zone, and look whether CF_Account_ID is the account that has it."
          : "Add the zone to the account, or give a token that may see it.",
        details: { zones: tried },
      },
    );
  }

  function openZone(zone: Zone): DnsZone {
    const path = `/zones/${encodeURIComponent(zone.id)}/dns_records`;

    async function list(name: string, signal: AbortSignal): Promise<ZoneRecord[]> {
      const query = new URLSearchParams({ type: "TXT", name, per_page: "100" });
      const listed = await call(`list the TXT records ${name}`, signal, `${path}?${query}`);
      const records = readList(listed).map(readRecord).filter((record) => record !== undefined);
      return records.filter((record) => record.name === name);
    }
    async function withValue({ name, value }: TxtRecord, signal: AbortSignal) {
      return (await list(name, signal)).filter(({ content }) => bare(content) === value);
    }
    async function remove(id: string, name: string, signal: AbortSignal): Promise<void> {
      const doing = `remove the TXT record ${name}`;
      try {
        await call(doing, signal, `${path}/${encodeURIComponent(id)}`, { method: "DELETE" });
      } catch (cause) {
        // Deleted by somebody else, or the whole zone is.
        if (!(cause instanceof AgentError && cause.details?.status === 404)) throw cause;
      }
    }

    return {
      name: zone.name,
      async addTxt(record, signal) {
        const { name, value } = record;
        const body = JSON.stringify({
          type: "TXT",
          name,
          content: `"${value}"`,
          ttl: TTL,
          comment: COMMENT,
        });
        try {
          const added = readRecord(
            await call(`add the TXT record ${name}`, signal, path, { method: "POST", body }),
          );
          if (added) return { ...record, id: added.id };
        } catch (cause) {
          if (!hasCode(cause, IDENTICAL_RECORD)) throw cause;
        }
        // It is there, from a try whose answer was lost: challenges are never the same by chance.
        const [found] = await withValue(record, signal);
        if (found) return { ...record, id: found.id };
        throw new AgentError("ACME", `${WHO} added the TXT record ${name}, but does not show it.`);
      },
      async removeTxt(record: TxtRecord & Partial<AddedTxt>, signal) {
        if (record.id) return await remove(record.id, record.name, signal);
        for (const { id, name } of await withValue(record, signal)) await remove(id, name, signal);
      },
      async removeStaleTxt(name, before, signal) {
        for (const { id, comment, created_on } of await list(name, signal)) {
          if (comment !== COMMENT || !(Date.parse(created_on ?? "") < before.getTime())) continue;
          await remove(id, name, signal);
          log.info(`Removed a TXT record ${name} that an earlier order had left.`);
        }
      },
    };
  }

  return { zoneOf, tryToken };
}

/** Cloudflare gives a TXT record's content in quotation marks. */
const bare = (content: string) => content.replace(/^"(.*)"$/, "$1");

function hasCode(cause: unknown, codes: readonly number[]): boolean {
  const found = cause instanceof AgentError ? cause.details?.codes : undefined;
  return Array.isArray(found) && found.some((code) => codes.includes(code));
}

async function readEnvelope(response: Response): Promise<Envelope | undefined> {
  try {
    return Object(await response.json());
  } catch {
    return undefined;
  }
}

const readList = (result: unknown): unknown[] => Array.isArray(result) ? result : [];

function readZone(value: unknown): Zone | undefined {
  const { id, name } = Object(value);
  return typeof id === "string" && typeof name === "string" ? { id, name } : undefined;
}

function readRecord(value: unknown): ZoneRecord | undefined {
  const { id, name, content, comment, created_on } = Object(value);
  if (typeof id !== "string" || typeof name !== "string" || typeof content !== "string") return;
  return { id, name, content, comment, created_on };
}
