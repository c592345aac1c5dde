/** What the demo says when it stays up: how to go on from another terminal. */
import type { Agent } from "./agent.ts";
import { curlLine } from "./curl.ts";
import type { Ports } from "./haproxy.ts";

export interface InvitationOptions {
  readonly root: string;
  readonly agent: Pick<Agent, "url" | "tokenFile">;
  readonly ports: Ports;
  readonly agentPath: string;
}

/** Lines to copy. The token is read when they run and stands in none of them. */
export function invitation({ root, agent, ports, agentPath }: InvitationOptions): string {
  const { url, tokenFile } = agent;
  return `
Everything stays up until Ctrl-C; then nothing is left of it.

  MCP      ${url}
  token    ${tokenFile}
  files    ${root}/conf

Claude:
  claude mcp add --transport http haproxy ${url} \\
    --header "Authorization: Bearer $(
      sed -n 's/^MCP_TOKEN=//p' ${quoted(tokenFile)})"
The shell:
  export HAPROXY_ROOT=${quoted(root)} HAPROXY_HOST=127.0.0.1 HAPROXY_PORT=${ports.api}
  ${quoted(agentPath)} call haproxy_list_domains
A site:
  ${curlLine({ host: "shop.example" }, ports)}`;
}

/** As one shell word. */
export function quoted(text: string): string {
  return /^[\w./@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
