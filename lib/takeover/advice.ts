/** What a haproxy.cfg that is not from `init` lacks for full function, read from its lines alone. */

/** @returns one sentence each; none for what `init` writes */
export function configAdvice(config: string): readonly string[] {
  const lines = config.split("\n").map((line) => line.replace(/(^|\s)#.*/, "").trim());
  const has = (pattern: RegExp) => lines.some((line) => pattern.test(line));
  const serverLines = lines.filter((line) => /^server-template\s/.test(line));
  const advice: (string | false)[] = [
    has(/wildcards\.map/) &&
    "It looks wildcards up in wildcards.map, which nobody writes any more: look them up in domains.map, by a " +
      "second line: http-request set-var(txn.pool) var(txn.host),regsub(^[^.]*,,),map_str(…/domains.map) " +
      "if !{ var(txn.pool) -m found }",
    !(has(/^server-state-file\s/) && has(/^load-server-state-from-file\s+global\b/)) &&
    "HAProxy starts with empty pools until the agent has filled them: in `global` `server-state-file " +
      "…/servers.state`, in `defaults` `load-server-state-from-file global`, together with the next point.",
    serverLines.some((line) => !/\sslot\.invalid:1\b/.test(line)) &&
    "Empty slots have an address, which HAProxy keeps at its start instead of the server's: " +
      "`server-template pool_1_ 1-10 slot.invalid:1 disabled`, and in `defaults` `default-server check inter 2s " +
      "fall 2 rise 1 init-addr last,127.0.0.1`.",
    has(/^stats\s+socket\s/) && !has(/^stats\s+maxconn\s/) &&
    "The Runtime API takes 10 connections and lets others hang: `stats maxconn 50` in `global`.",
    has(/^bind\s.*\sssl\b/) && !has(/^bind\s.*\scrt-list\s/) &&
    "A bind names certificates by `crt`, so new ones can't be served: `ssl crt-list …/certs/crt-list.txt` in its " +
      "place; then `haproxy-mcp init` once more, which makes that list of what lies in certs/, before HAProxy " +
      "is reloaded.",
  ];
  return advice.filter((sentence) => sentence !== false);
}
