/** What each setting means, for people: the table of docs/configuration.md and the man page are made from this one. In Markdown. */

export interface DescribedSettings {
  /** Environment variables that belong together. */
  readonly names: readonly string[];
  /** Of each, in their order; empty where there is none. */
  readonly fallback: string;
  readonly says: string;
}

const settings = (names: string, fallback: string, says: string): DescribedSettings => ({
  names: names.split(" "),
  fallback,
  says,
});

export const DESCRIBED: readonly DescribedSettings[] = [
  settings("HAPROXY_ROOT", "/opt/haproxy", "base of all files; the tools' only folder"),
  settings("HAPROXY_HOST HAPROXY_PORT", "localhost, 9999", "Runtime API"),
  settings(
    "HAPROXY_POOL_COUNT HAPROXY_MAX_SLOTS",
    "100, 10",
    "pools, and servers a pool; as in haproxy.cfg",
  ),
  settings(
    "HAPROXY_MAP_FILE HAPROXY_SERVERS_FILE",
    "conf/domains.map, conf/servers.json",
    "domain → pool; servers",
  ),
  settings("HAPROXY_SERVER_STATE_FILE", "conf/servers.state", "what HAProxy reads at its start"),
  settings(
    "HAPROXY_STATE_FILE",
    "data/servers.state",
    "what haproxy_save_state writes and haproxy_restore_state can read",
  ),
  settings(
    "HAPROXY_CERTS_DIR HAPROXY_CRT_LIST HAPROXY_CERTS_FILE",
    "certs/, certs/crt-list.txt, conf/certificates.json",
    "the PEM files; which of them HAProxy reads; domains with a certificate",
  ),
  settings("HAPROXY_CONFIG_FILE", "conf/haproxy.cfg", "may lie outside of HAPROXY_ROOT"),
  settings(
    "HAPROXY_RELOAD",
    "auto",
    "auto, master, podman, systemd: how haproxy_reload and haproxy_check_config act; auto takes the first that works",
  ),
  settings(
    "HAPROXY_MASTER",
    "run/master.sock, if it is there",
    "HAProxy's master CLI: host:port or a unix socket's path",
  ),
  settings("HAPROXY_BINARY", "`haproxy` in PATH", "checks haproxy.cfg"),
  settings("HAPROXY_CONTAINER", "haproxy", "Podman's name of HAProxy's container"),
  settings(
    "HAPROXY_MAP_NAME",
    "found by `show map`",
    "the map's spelling in HAProxy, where it can't be found for sure",
  ),
  settings("MCP_HOST MCP_PORT", "0.0.0.0, 8000", "where `serve` listens"),
  settings("MCP_TOKEN_FILE", "conf/mcp-token.env", "tokens; mode 0600"),
  settings(
    "MCP_TRUSTED_NETWORKS MCP_TRUSTED_ACCESS",
    "100.64.0.0/10, full",
    "who needs no token (`none` for nobody), and gets full or read access",
  ),
  settings(
    "MCP_ALLOWED_HOSTS MCP_ALLOWED_ORIGINS",
    "loopback and this machine's addresses, none",
    "guard against DNS rebinding",
  ),
  settings(
    "MCP_READ_ONLY MCP_TOOLSETS",
    "false, all",
    "leave out every tool that changes anything; the groups to offer",
  ),
  settings(
    "MCP_CONFIRM",
    "ask",
    "remove_domain, set_domain_state, reload, restore_state and delete_cert ask a person where the client, or the terminal, can; where it can't, `ask` goes on and `require` needs `confirm=true`; `off` never asks",
  ),
  settings(
    "MCP_MAX_SESSIONS MCP_SESSION_IDLE",
    "1000, 1800",
    "sessions at most, and streams; seconds until an idle session ends",
  ),
  settings(
    "MCP_RATE",
    "50/100",
    "requests a second / at once, of each token, else of each address; 0: no limit",
  ),
  settings(
    "MCP_OAUTH_ISSUER MCP_OAUTH_AUDIENCE",
    "",
    "take this issuer's JWTs for this audience; scopes haproxy:read, haproxy:write",
  ),
  settings(
    "MCP_OAUTH_JWKS_URL",
    "what the issuer's metadata says",
    "where its keys are, if on another host",
  ),
  settings("MCP_AUTO_RENEW", "true", "`serve` renews what is due"),
  settings(
    "ACME_DIRECTORY",
    "google",
    "the CA: `google` (Trust Services), `letsencrypt`, `letsencrypt-staging`, or its directory's URL",
  ),
  settings("ACME_EAB_KID ACME_EAB_HMAC_KEY", "", "External Account Binding, where the CA wants it"),
  settings("ACME_EMAIL", "", "for the account at the CA"),
  settings("ACME_CA_FILE", "", "a private CA's root, PEM"),
  settings(
    "CF_Token CF_Account_ID CF_Zone_ID",
    "",
    "Cloudflare; the last two are needed only where the token can't list zones",
  ),
  settings(
    "…_FILE",
    "",
    "of the EAB and CF variables: a file that holds the value, mode 0600, read anew each time",
  ),
  settings(
    "ACME_DNS_WAIT",
    "120",
    "seconds that the TXT record may take to appear; 0: it is not looked for",
  ),
  settings(
    "ACME_DNS_SERVERS",
    "the zone's own",
    "whom to ask for it: `address:port`, separated by commas",
  ),
  settings(
    "ACME_CLIENT ACME_SH",
    "builtin, `acme.sh` in PATH",
    "builtin or acme.sh, and where that lies",
  ),
  settings(
    "LOG_LEVEL LOG_FORMAT",
    "INFO, text",
    "DEBUG, INFO, WARNING, ERROR; text or json. Logs go to stderr",
  ),
];
