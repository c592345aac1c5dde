/** Prompts: the jobs that people do with HAProxy, as a plan for the model that does them. */
import type { GetPromptResult, ListPromptsResult } from "@modelcontextprotocol/server";
import type { Access, FrontSettings } from "../../config.ts";
import type { ToolGroup } from "../../tool_definition.ts";
import type { McpHandlers } from "./handlers.ts";
import { GROUP_ICONS } from "./icons.ts";
import { invalidParams } from "./rpc_error.ts";

interface Argument {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
}

export interface Prompt {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Its icon. It is offered where the tools of all `needs` are. */
  readonly group: ToolGroup;
  readonly needs: readonly ToolGroup[];
  readonly writes: boolean;
  readonly arguments: readonly Argument[];
  text(given: Readonly<Record<string, string>>): string;
}

const DOMAIN: Argument = {
  name: "domain",
  description: "Host name such as www.example.com.",
  required: true,
};

export const PROMPTS: readonly Prompt[] = [
  {
    name: "put-site-live",
    title: "Put a site live",
    description:
      "Routes a new domain to its servers, with a certificate, and shows that it serves.",
    group: "domains",
    needs: ["domains", "servers", "health", "certificates"],
    writes: true,
    arguments: [DOMAIN, {
      name: "servers",
      description: "Addresses, such as 10.0.0.1:8080, 10.0.0.2:8080.",
      required: true,
    }],
    text: ({ domain, servers }) =>
      `Put ${domain} live on these servers: ${servers}.
1. haproxy_list_domains: is the domain there already? Then say so and ask before you change it.
2. haproxy_add_domain with the first server, then haproxy_add_servers with the others. Try each with dry_run=true first.
3. haproxy_domain_health until every server with a check is UP. One that stays DOWN: say which, and what its check says.
4. haproxy_cert_info: is there a certificate that covers ${domain}? If not, haproxy_issue_cert.
5. Report: the pool, each server with its status, the certificate's names and its last day.`,
  },
  {
    name: "server-maintenance",
    title: "Take a server out for maintenance",
    description: "Drains a server, waits until it has no request left, and puts it into maint.",
    group: "servers",
    needs: ["servers", "health"],
    writes: true,
    arguments: [DOMAIN, {
      name: "slot",
      description: "The server's slot, as haproxy_list_servers shows it.",
      required: true,
    }],
    text: ({ domain, slot }) =>
      `Take the server in slot ${slot} of ${domain} out of service for maintenance, with no request lost.
1. haproxy_domain_health: at least one other server has to be healthy. If none is, stop and say so; do not use force.
2. haproxy_set_server_state with state=drain.
3. haproxy_wait_drain with timeout=300. If it is not drained then, say what is left and ask whether to wait on.
4. haproxy_set_server_state with state=maint, then haproxy_domain_health once more.
5. Report, and say how it comes back: haproxy_set_server_state with state=ready, then haproxy_domain_health until UP.`,
  },
  {
    name: "rotate-certificates",
    title: "Rotate certificates",
    description: "Renews what is due, and says what will run out.",
    group: "certificates",
    needs: ["certificates"],
    writes: true,
    arguments: [{
      ...DOMAIN,
      description: "One domain; empty for all that are due.",
      required: false,
    }],
    text: ({ domain }) =>
      `Rotate ${domain ? `the certificate of ${domain}` : "the certificates that are due"}.
1. haproxy_list_certs: days left, what is due, what failed last time and why.
2. ${
        domain
          ? `haproxy_renew_cert of ${domain}; with force=true only if I ask for it, as CAs limit how often.`
          : "haproxy_renew_all_certs. One failure stops none of the others."
      }
3. For each failure: what the error says, and what has to be put right (token, zone, rate limit, record).
4. haproxy_cert_info of what was renewed: HAProxy has to serve the new serial.
5. Report what was renewed, what was not and why, and which one runs out next.`,
  },
  {
    name: "site-down",
    title: "Find out why a site is down",
    description:
      "Looks from the domain to the server for what fails, and proposes a remedy. Changes nothing.",
    group: "health",
    needs: ["domains", "health", "monitoring"],
    writes: false,
    arguments: [DOMAIN],
    text: ({ domain }) =>
      `Find out why ${domain} does not work. Only look: propose changes, and make none before I agree.
1. haproxy_health: does HAProxy answer, does it hold what the files say (sync), is haproxy.cfg unread?
2. haproxy_domain_health of ${domain}. Not found: haproxy_list_domains, with wildcards; is it misspelt or never routed?
3. Servers DOWN: what does the check say (refused, timeout, status code), and since when? All in drain or maint: who did it (resource haproxy://audit)?
4. Servers UP: haproxy_stats and haproxy_get_connections of its backend. Errors 5xx, full queues, connections at their limit?
5. haproxy_cert_info of ${domain}: expired, another name, not loaded?
6. Say the cause that the evidence supports, how sure you are, and the smallest change that mends it.`,
  },
];

export function promptHandlers(
  { settings }: { readonly settings: Pick<FrontSettings, "readOnly" | "toolsets"> },
): Pick<McpHandlers, "prompts/list" | "prompts/get"> {
  const offered = PROMPTS.filter(({ needs }) =>
    needs.every((group) => settings.toolsets.includes(group))
  );
  const allowed = (access: Access) =>
    offered.filter(({ writes }) => !writes || (access === "full" && !settings.readOnly));
  return {
    "prompts/list": (_request, { access }) => ({ prompts: allowed(access).map(toListed) }),
    "prompts/get"({ params: { name, arguments: given = {} } }, { access }): GetPromptResult {
      const prompt = allowed(access).find((prompt) => prompt.name === name);
      if (!prompt) throw invalidParams(`Prompt ${name} not found`);
      for (const { name, required } of prompt.arguments) {
        if (required && !given[name]?.trim()) {
          throw invalidParams(`The argument ${name} is required.`);
        }
      }
      const text = prompt.text(oneLine(given));
      return {
        description: prompt.description,
        messages: [{ role: "user", content: { type: "text", text } }],
      };
    },
  };
}

function toListed(prompt: Prompt): ListPromptsResult["prompts"][number] {
  const { name, title, description, group } = prompt;
  return {
    name,
    title,
    description,
    icons: [GROUP_ICONS[group]],
    arguments: [...prompt.arguments],
  };
}

/** What a person typed is a name or a list: it starts no line of its own in the plan. */
function oneLine(given: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      // deno-lint-ignore no-control-regex -- those are what has to go
      value.replace(/[\x00-\x1f\x7f\u2028\u2029]+/g, " ").trim().slice(0, 500),
    ]),
  );
}
