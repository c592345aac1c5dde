import assert from "node:assert/strict";
import { readSettings, SettingsError } from "../lib/config.ts";

Deno.test("the defaults are the contract's", () => {
  const { files, haproxy, host, front, tokenFile, confirm, logging } = readSettings({});
  assert.deepEqual(files, {
    root: "/opt/haproxy",
    map: "/opt/haproxy/conf/domains.map",
    servers: "/opt/haproxy/conf/servers.json",
    serverState: "/opt/haproxy/conf/servers.state",
    savedState: "/opt/haproxy/data/servers.state",
    certsFolder: "/opt/haproxy/certs",
    certificates: "/opt/haproxy/conf/certificates.json",
    crtList: "/opt/haproxy/certs/crt-list.txt",
    lock: "/opt/haproxy/data/lock",
    renewalLock: "/opt/haproxy/data/renewal.lock",
    certificateLock: "/opt/haproxy/data/certificates.lock",
    journal: "/opt/haproxy/data/journal/changes.jsonl",
    certificateJournal: "/opt/haproxy/data/journal/certificate.json",
    restoreJournal: "/opt/haproxy/data/journal/restore.json",
    beforeRestore: "/opt/haproxy/data/backup-before-restore.tar",
    audit: "/opt/haproxy/data/audit.jsonl",
    auditLock: "/opt/haproxy/data/audit.lock",
    acmeFolder: "/opt/haproxy/data/acme",
  });
  assert.deepEqual(haproxy, { host: "localhost", port: 9999, poolCount: 100, maxSlots: 10 });
  assert.deepEqual(host, {
    configFile: "/opt/haproxy/conf/haproxy.cfg",
    masterSocket: "/opt/haproxy/run/master.sock",
    container: "haproxy",
    reload: "auto",
  });
  assert.deepEqual([front.host, front.port], ["0.0.0.0", 8000]);
  assert.deepEqual(front.trustedNetworks, ["100.64.0.0/10"]);
  assert.deepEqual([front.maxSessions, front.sessionIdle], [1000, 1800]);
  assert.equal(front.toolsets.length, 6);
  assert.equal(tokenFile, "/opt/haproxy/conf/mcp-token.env");
  assert.deepEqual([confirm, logging], ["ask", { level: "INFO", format: "text" }]);
});

Deno.test("the paths follow HAPROXY_ROOT, and a relative one lies below it", () => {
  const { files } = readSettings({ HAPROXY_ROOT: "/srv/lb/", HAPROXY_MAP_FILE: "maps/d.map" });
  assert.equal(files.root, "/srv/lb");
  assert.equal(files.map, "/srv/lb/maps/d.map");
  assert.equal(files.servers, "/srv/lb/conf/servers.json");
});

Deno.test("each file of certificates and saved state can be named, under HAPROXY_ROOT", () => {
  const { files } = readSettings({
    HAPROXY_STATE_FILE: "saved/servers.state",
    HAPROXY_CERTS_DIR: "tls",
    HAPROXY_CERTS_FILE: "tls/certificates.json",
    HAPROXY_CRT_LIST: "/opt/haproxy/tls/list.txt",
  });
  assert.equal(files.savedState, "/opt/haproxy/saved/servers.state");
  assert.equal(files.certsFolder, "/opt/haproxy/tls");
  assert.equal(files.certificates, "/opt/haproxy/tls/certificates.json");
  assert.equal(files.crtList, "/opt/haproxy/tls/list.txt");
});

Deno.test("HAPROXY_CONFIG_FILE may lie outside of HAPROXY_ROOT; a relative one lies below it", () => {
  const path = (file: string) => readSettings({ HAPROXY_CONFIG_FILE: file }).host.configFile;
  assert.equal(path("/etc/haproxy/haproxy.cfg"), "/etc/haproxy/haproxy.cfg");
  assert.equal(path("conf/other.cfg"), "/opt/haproxy/conf/other.cfg");
});

Deno.test("HAPROXY_MASTER is host:port or a unix socket's path, and not set without a word", () => {
  const master = (value: string) => readSettings({ HAPROXY_MASTER: value }).host.master;
  const path = `/${"s".repeat(106)}`;
  for (const value of ["127.0.0.1:9998", "[::1]:9998", "lb.example:65535", "/run/m.sock", path]) {
    assert.equal(master(value), value);
  }
  assert.equal(master(""), undefined);
});

Deno.test("HAPROXY_BINARY is a name or an absolute path, HAPROXY_CONTAINER a name of podman's", () => {
  const { host } = readSettings({
    HAPROXY_BINARY: "/opt/ha proxy/haproxy",
    HAPROXY_CONTAINER: "lb_1.eu-west",
    HAPROXY_RELOAD: "Podman",
  });
  assert.equal(host.binary, "/opt/ha proxy/haproxy");
  assert.equal(host.container, "lb_1.eu-west");
  assert.equal(host.reload, "podman");
  assert.equal(readSettings({ HAPROXY_BINARY: "haproxy-lts" }).host.binary, "haproxy-lts");
});

Deno.test("an empty value counts as not set, and words are taken in any case", () => {
  const settings = readSettings({ MCP_PORT: "", LOG_LEVEL: "debug", MCP_TRUSTED_NETWORKS: "none" });
  assert.equal(settings.front.port, 8000);
  assert.equal(settings.logging.level, "DEBUG");
  assert.deepEqual(settings.front.trustedNetworks, []);
});

Deno.test("a bad setting is one line that names the variable, its value and what is allowed", () => {
  for (
    const [name, value] of [
      ["MCP_PORT", "65536"],
      ["MCP_PORT", "80x"],
      ["HAPROXY_PORT", "0"],
      ["HAPROXY_PORT", "-1"],
      ["HAPROXY_POOL_COUNT", "0"],
      ["HAPROXY_MAX_SLOTS", "1.5"],
      ["HAPROXY_ROOT", "opt/haproxy"],
      ["HAPROXY_MAP_FILE", "/etc/passwd"],
      ["HAPROXY_SERVERS_FILE", "../servers.json"],
      ["HAPROXY_SERVER_STATE_FILE", "/opt/haproxy2/servers.state"],
      ["HAPROXY_STATE_FILE", "/var/lib/haproxy/servers.state"],
      ["HAPROXY_CERTS_DIR", "/etc/ssl"],
      ["HAPROXY_CERTS_DIR", "."],
      ["HAPROXY_CERTS_FILE", "../certificates.json"],
      ["HAPROXY_CRT_LIST", "/opt/haproxy/../crt-list.txt"],
      ["HAPROXY_CONFIG_FILE", "/etc/haproxy\n/haproxy.cfg"],
      ["HAPROXY_MASTER", "9998"],
      ["HAPROXY_MASTER", "127.0.0.1"],
      ["HAPROXY_MASTER", "127.0.0.1:0"],
      ["HAPROXY_MASTER", "127.0.0.1:65536"],
      ["HAPROXY_MASTER", "::1:9998"],
      ["HAPROXY_MASTER", "[127.0.0.1]:9998"],
      ["HAPROXY_MASTER", "run/master.sock"],
      ["HAPROXY_MASTER", "/run/a b.sock"],
      ["HAPROXY_MASTER", `/${"s".repeat(107)}`],
      ["HAPROXY_BINARY", "bin/haproxy"],
      ["HAPROXY_BINARY", "./haproxy"],
      ["HAPROXY_BINARY", "haproxy\nx"],
      ["HAPROXY_CONTAINER", "--latest"],
      ["HAPROXY_CONTAINER", "a b"],
      ["HAPROXY_CONTAINER", "a/b"],
      ["HAPROXY_RELOAD", "docker"],
      ["HAPROXY_MAP_NAME", "a b"],
      ["HAPROXY_HOST", "a/b"],
      ["MCP_HOST", "a b"],
      ["MCP_TRUSTED_NETWORKS", "10.0.0.0/33"],
      ["MCP_TRUSTED_NETWORKS", "10.0.0.0"],
      ["MCP_TRUSTED_NETWORKS", "fd00::/129"],
      ["MCP_TRUSTED_NETWORKS", "10.0.0.0/8,nonsense/8"],
      ["MCP_TRUSTED_ACCESS", "some"],
      ["MCP_READ_ONLY", "yes"],
      ["MCP_TOOLSETS", "domains,cats"],
      ["MCP_CONFIRM", "always"],
      ["MCP_SESSION_IDLE", "0"],
      ["LOG_LEVEL", "VERBOSE"],
    ]
  ) {
    assert.throws(
      () => readSettings({ [name]: value }),
      (error) =>
        error instanceof SettingsError && error.message.startsWith(`${name}=`) &&
        / is not usable: .+ (is|are)\.$/.test(error.message) && !error.message.includes("\n"),
      `${name}=${value}`,
    );
  }
});

Deno.test("no file has two uses, and main runs no program that the tools room can write", () => {
  for (
    const [name, value] of [
      ["HAPROXY_STATE_FILE", "conf/servers.state"],
      ["HAPROXY_STATE_FILE", "conf/servers.json"],
      ["HAPROXY_CERTS_FILE", "conf/domains.map"],
      ["HAPROXY_MAP_FILE", "data/lock"],
      ["HAPROXY_BINARY", "/r/run/haproxy"],
      ["HAPROXY_BINARY", "/r/../r/haproxy"],
    ]
  ) {
    assert.throws(
      () => readSettings({ HAPROXY_ROOT: "/r", [name]: value }),
      (error: Error) => error.name === "SettingsError" && error.message.startsWith(`${name}=`),
      name,
    );
  }
  readSettings({ HAPROXY_ROOT: "/r", HAPROXY_BINARY: "/rr/haproxy" });
});

Deno.test("OAuth is off without its settings, and on with an issuer and an audience", () => {
  const oauth = (env: Record<string, string>) => readSettings(env).front.oauth;
  assert.equal(oauth({}), undefined);
  const issuer = "https://id.example.com/tenant/";
  const on = { MCP_OAUTH_ISSUER: issuer, MCP_OAUTH_AUDIENCE: "https://mcp.example.com/mcp" };
  const expected = { issuer, audience: "https://mcp.example.com/mcp" };
  assert.deepEqual(oauth(on), expected);
  const jwksUrl = "https://keys.example.com/v1";
  assert.deepEqual(oauth({ ...on, MCP_OAUTH_JWKS_URL: jwksUrl }), { ...expected, jwksUrl });
  for (const local of ["http://localhost:9000", "http://127.0.0.1", "http://[::1]:9000/x"]) {
    assert.equal(oauth({ ...on, MCP_OAUTH_ISSUER: local })?.issuer, local);
  }
  for (
    const [name, value] of [
      ["MCP_OAUTH_ISSUER", ""],
      ["MCP_OAUTH_ISSUER", "id.example.com"],
      ["MCP_OAUTH_ISSUER", "http://id.example.com"],
      ["MCP_OAUTH_ISSUER", "http://localhost.example.com"],
      ["MCP_OAUTH_ISSUER", "https://me:secret@id.example.com"],
      ["MCP_OAUTH_ISSUER", "https://id.example.com?x"],
      ["MCP_OAUTH_ISSUER", "https://id.example.com#x"],
      ["MCP_OAUTH_AUDIENCE", ""],
      ["MCP_OAUTH_AUDIENCE", "two words"],
      ["MCP_OAUTH_JWKS_URL", "http://keys.example.com/v1"],
      ["MCP_OAUTH_JWKS_URL", "file:///etc/passwd"],
    ]
  ) {
    assert.throws(
      () => oauth({ ...on, [name]: value }),
      (error: Error) => error.name === "SettingsError" && error.message.startsWith(`${name}=`),
      `${name}=${value}`,
    );
  }
});
