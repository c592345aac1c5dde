/** The table of resources: what can be read by its URI. Each is what a tool answers, as JSON, or a file. */
import { AgentError } from "../lib/errors.ts";
import { domainOfKey } from "../lib/names/domain.ts";
import type { CallContext } from "../lib/rpc/mod.ts";
import {
  type ListedResource,
  type ResourceDefinition,
  type ResourcePage,
  type ResourceText,
  resourceUri,
  variableIn,
} from "../lib/resource_definition.ts";
import type { ToolGroup } from "../lib/tool_definition.ts";
import { certInfo, listCerts } from "./certificates.ts";
import type { ToolContext } from "./context.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { listDomains } from "./domains.ts";
import { domainHealth, getServerHealth } from "./health.ts";
import { listServers } from "./servers.ts";
import type { Tool } from "./tool.ts";

interface Resource {
  readonly definition: ResourceDefinition;
  /** @param value what stands for the template's variable; empty for a fixed URI */
  read(value: string, context: ToolContext, call: CallContext): Promise<string>;
}

const JSON_TYPE = "application/json";

/** Of a tool that reads. */
async function answerOf(
  tool: Tool,
  args: unknown,
  context: ToolContext,
  call: CallContext,
): Promise<Record<string, unknown>> {
  const caller = { transport: "none", who: "resource" } as const;
  return (await tool.run(args, context, { ...call, caller })).structured;
}

const spelled = (value: unknown) => JSON.stringify(value, null, 2);

const MAX_DOMAINS = 1_000;

/** Lines of the audit log. */
const LAST = 100;
const MAX_LAST = 1_000;

async function lastCalls({ auditLog }: ToolContext, count: number): Promise<string> {
  return (await auditLog.last(count)).map((line) => `${line}\n`).join("");
}

export const resources: readonly Resource[] = [
  {
    definition: {
      uri: "haproxy://domains",
      name: "domains",
      title: "Domains",
      description: "Every domain with its pool and servers, wildcards too; the first 1,000. " +
        "haproxy_list_domains has the next page.",
      mimeType: JSON_TYPE,
      group: "domains",
    },
    read: async (_, context, call) =>
      spelled(await answerOf(listDomains, { include_wildcards: true }, context, call)),
  },
  {
    definition: {
      uriTemplate: "haproxy://domains/{domain}",
      name: "domain",
      title: "One domain",
      description: "A domain's pool, its servers, and the health of each.",
      mimeType: JSON_TYPE,
      group: "domains",
    },
    async read(domain, context, call) {
      const [{ servers, ...placed }, { servers: seen, ...health }] = await Promise.all(
        [listServers, domainHealth].map((tool) => answerOf(tool, { domain }, context, call)),
      );
      return spelled({ ...placed, ...health, servers, health: seen });
    },
  },
  {
    definition: {
      uriTemplate: "haproxy://backends/{backend}",
      name: "backend",
      title: "One backend",
      description:
        `A pool, or a backend of your own: the domains that lead there, ${MAX_DOMAINS} at ` +
        "most, and the health of each server.",
      mimeType: JSON_TYPE,
      group: "health",
    },
    async read(backend, context, call) {
      const { servers } = await answerOf(getServerHealth, { backend }, context, call);
      const domains = await context.transactions.read((desired) =>
        desired.keysOf(backend).values().map(domainOfKey).take(MAX_DOMAINS).toArray()
      );
      return spelled({ backend, domains, servers });
    },
  },
  {
    definition: {
      uri: "haproxy://config",
      name: "config",
      title: "haproxy.cfg",
      description:
        "HAProxy's configuration file as it is now; secrets are hidden where they are known to stand.",
      mimeType: "text/plain",
      group: "configuration",
    },
    read: (_, { host }, { signal }) => host.call("readConfig", undefined, { signal }),
  },
  {
    definition: {
      uri: "haproxy://certificates",
      name: "certificates",
      title: "Certificates",
      description: "Every certificate: names, issuer, days left, when and by whom it is renewed.",
      mimeType: JSON_TYPE,
      group: "certificates",
    },
    read: async (_, context, call) => spelled(await answerOf(listCerts, {}, context, call)),
  },
  {
    definition: {
      uriTemplate: "haproxy://certificates/{domain}",
      name: "certificate",
      title: "One certificate",
      description: "A domain's certificate, its chain, and what HAProxy serves of it.",
      mimeType: JSON_TYPE,
      group: "certificates",
    },
    read: async (domain, context, call) =>
      spelled(await answerOf(certInfo, { domain }, context, call)),
  },
  {
    definition: {
      uri: "haproxy://audit",
      name: "audit",
      title: "Audit log",
      description: `Who changed what: the last ${LAST} calls of writing tools, refused ones too; ` +
        "one JSON object a line, the newest last.",
      mimeType: "application/jsonl",
      group: "configuration",
    },
    read: (_, context) => lastCalls(context, LAST),
  },
  {
    definition: {
      uriTemplate: "haproxy://audit/{last}",
      name: "audit-last",
      title: "Audit log, so many calls",
      description: `The same with another number of calls, 1 to ${MAX_LAST}.`,
      mimeType: "application/jsonl",
      group: "configuration",
    },
    read(last, context) {
      const count = /^\d{1,4}$/.test(last) ? Number(last) : 0;
      if (count < 1 || count > MAX_LAST) {
        throw new AgentError("VALIDATION", `The audit log has no ${JSON.stringify(last)}.`, {
          hint: `Give a number of calls from 1 to ${MAX_LAST}.`,
        });
      }
      return lastCalls(context, count);
    },
  },
];

/** Throws NOT_FOUND for a URI that is none of ours. */
export async function readResource(
  { uri, groups }: { readonly uri: string; readonly groups: readonly ToolGroup[] },
  context: ToolContext,
  call: CallContext,
): Promise<ResourceText> {
  for (const { definition, read } of resources.filter(within(groups))) {
    const value = variableIn(definition, uri);
    if (value === undefined) continue;
    return { mimeType: definition.mimeType, text: await read(value, context, call) };
  }
  throw new AgentError("NOT_FOUND", `There is no resource ${JSON.stringify(uri.slice(0, 300))}.`, {
    hint: "resources/list and resources/templates/list show what there is.",
  });
}

/** Fixed ones and, page by page, each domain. */
export async function listResources(
  { cursor, groups }: { readonly cursor: string; readonly groups: readonly ToolGroup[] },
  { transactions }: ToolContext,
): Promise<ResourcePage> {
  const fixed = cursor === "" ? resources.filter(within(groups)).flatMap(listedWhereFixed) : [];
  if (!groups.includes("domains")) return { resources: fixed };
  const after = cursor === "" ? undefined : decodeCursor(cursor);
  return await transactions.read((desired) => {
    const keys = desired.keys(after);
    const page = [...Iterator.from(keys).take(PAGE + 1)];
    const shown = page.slice(0, PAGE);
    return {
      resources: [...fixed, ...shown.map(domainOfKey).map(listedDomain)],
      ...(page.length > PAGE && { nextCursor: encodeCursor(shown[PAGE - 1]) }),
    };
  });
}

const PAGE = 500;

const within = (groups: readonly ToolGroup[]) => ({ definition }: Resource) =>
  groups.includes(definition.group);

function listedWhereFixed({ definition }: Resource): ListedResource[] {
  if (!("uri" in definition)) return [];
  return [definition];
}

const listedDomain = (domain: string): ListedResource => ({
  uri: resourceUri("domains", domain),
  name: domain,
  title: domain,
  mimeType: JSON_TYPE,
  group: "domains",
});
