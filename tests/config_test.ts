import assert from "node:assert/strict";
import { readSettings, SettingsError } from "../lib/config.ts";

Deno.test("the defaults are the contract's", () => {
  const { files, haproxy, front, tokenFile, confirm, logLevel } = readSettings({});
  assert.deepEqual(files, {
    root: "/opt/haproxy",
    map: "/opt/haproxy/conf/domains.map",
    servers: "/opt/haproxy/conf/servers.json",
    serverState: "/opt/haproxy/conf/servers.state",
    lock: "/opt/haproxy/data/lock",
    journal: "/opt/haproxy/data/journal/changes.jsonl",
    audit: "/opt/haproxy/data/audit.jsonl",
  });
  assert.deepEqual(haproxy, { host: "localhost", port: 9999, poolCount: 100, maxSlots: 10 });
  assert.deepEqual([front.host, front.port], ["0.0.0.0", 8000]);
  assert.deepEqual(front.trustedNetworks, ["100.64.0.0/10"]);
  assert.deepEqual([front.maxSessions, front.sessionIdle], [1000, 1800]);
  assert.equal(front.toolsets.length, 6);
  assert.equal(tokenFile, "/opt/haproxy/conf/mcp-token.env");
  assert.deepEqual([confirm, logLevel], ["ask", "INFO"]);
});

Deno.test("the paths follow HAPROXY_ROOT, and a relative one lies below it", () => {
  const { files } = readSettings({ HAPROXY_ROOT: "/srv/lb/", HAPROXY_MAP_FILE: "maps/d.map" });
  assert.equal(files.root, "/srv/lb");
  assert.equal(files.map, "/srv/lb/maps/d.map");
  assert.equal(files.servers, "/srv/lb/conf/servers.json");
});

Deno.test("an empty value counts as not set, and words are taken in any case", () => {
  const settings = readSettings({ MCP_PORT: "", LOG_LEVEL: "debug", MCP_TRUSTED_NETWORKS: "none" });
  assert.equal(settings.front.port, 8000);
  assert.equal(settings.logLevel, "DEBUG");
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
