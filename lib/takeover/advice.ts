/** What a haproxy.cfg that is not from `init` lacks for full function, read from its lines alone. */
import { basename } from "node:path";
import type { Settings } from "../config.ts";

/** @returns one sentence each; none for what `init` writes */
export function configAdvice(
  config: string,
  { files, haproxy: { port, poolCount, maxSlots } }: Pick<Settings, "files" | "haproxy">,
): readonly string[] {
  const { map, serverState, crtList } = files;
  const lines = config.split("\n").map((line) => line.replace(/(^|\s)#.*/, "").trim());
  const has = (pattern: RegExp) => lines.some((line) => pattern.test(line));
  const serverLines = lines.filter((line) => /^server-template\s+pool_\d+_\s/.test(line));
  const mapName = basename(map).replace(/\W/g, "\\$&");
  const advice: (string | false)[] = [
    !has(new RegExp(`^stats\\s+socket\\s+\\S*:${port}\\s(.*\\s)?level\\s+admin\\b`)) &&
    `The agent has no way in, the Runtime API on port ${port}, which only this machine may reach: ` +
      `\`stats socket ipv4@127.0.0.1:${port} level admin\` in \`global\`.`,
    !has(new RegExp(`\\bmap(_\\w+)?\\([^)]*\\b${mapName}\\s*[,)]`)) &&
    `Requests don't find the agent's domains: in the frontends ` +
      `\`http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)\`, ` +
      `\`http-request set-var(txn.pool) var(txn.host),map_str(${map})\`, for wildcards ` +
      `\`http-request set-var(txn.pool) var(txn.host),regsub(^[^.]*,,),map_str(${map}) if !{ var(txn.pool) -m found }\`, ` +
      "and behind your own rules `use_backend %[var(txn.pool)] if { var(txn.pool) -m found }`.",
    !has(/^server(-template)?\s+pool_1_/) &&
    `The agent has no pools to put servers into: \`default-server check inter 2s fall 2 rise 1 init-addr ` +
      "last,127.0.0.1` in `defaults`, and at the end, for each N from 1 to " +
      `${poolCount}, \`backend pool_N\` and in it \`server-template pool_N_ 1-${maxSlots} slot.invalid:1 disabled\`. ` +
      "`haproxy-mcp init --print | sed -n '/^backend pool_1$/,$p'` prints these.",
    has(/wildcards\.map/) &&
    "It looks wildcards up in wildcards.map, which nobody writes any more: look them up in domains.map, by a " +
      `second line: http-request set-var(txn.pool) var(txn.host),regsub(^[^.]*,,),map_str(${map}) ` +
      "if !{ var(txn.pool) -m found }",
    !(has(/^server-state-file\s/) && has(/^load-server-state-from-file\s+global\b/)) &&
    `HAProxy starts with empty pools until the agent has filled them: in \`global\` \`server-state-file ` +
      `${serverState}\`, in \`defaults\` \`load-server-state-from-file global\`, together with empty slots without an ` +
      "address (slot.invalid:1).",
    serverLines.some((line) => !/\sslot\.invalid:1\b/.test(line)) &&
    "Empty slots have an address, which HAProxy keeps at its start instead of the server's: " +
      "`server-template pool_1_ 1-10 slot.invalid:1 disabled`, and in `defaults` `default-server check inter 2s " +
      "fall 2 rise 1 init-addr last,127.0.0.1`.",
    has(/^stats\s+socket\s/) && !has(/^stats\s+maxconn\s/) &&
    "The Runtime API takes 10 connections and lets others hang: `stats maxconn 50` in `global`.",
    has(/^bind\s.*\sssl\b/) && !has(/^bind\s.*\scrt-list\s/) &&
    `A bind names certificates by \`crt\`, so new ones can't be served: \`ssl crt-list ${crtList}\` in its ` +
      "place; then `haproxy-mcp init` once more, which makes that list of what lies in certs/, before HAProxy " +
      "is reloaded.",
  ];
  return advice.filter((sentence) => sentence !== false);
}
