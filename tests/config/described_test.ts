import assert from "node:assert/strict";
import { readSettings, VARIABLES } from "../../lib/config.ts";
import { DESCRIBED } from "../../lib/config/described.ts";

/** It lets tests stand in for Cloudflare. */
const UNDESCRIBED = ["CF_API_URL"];

Deno.test("every setting that is read is described, once, and no other", () => {
  const described = DESCRIBED.flatMap(({ names }) => names);
  const files = described.filter((name) => name === "…_FILE");
  assert.equal(files.length, 1);
  const read = VARIABLES.filter((name) =>
    !UNDESCRIBED.includes(name) && !VARIABLES.some((other) => name === `${other}_FILE`)
  );
  assert.deepEqual(described.filter((name) => name !== "…_FILE").sort(), [...read].sort());
});

Deno.test("the defaults that are described are those that are used", () => {
  const fallbacks = new Map(
    DESCRIBED.flatMap(({ names, fallback }) => {
      const each = fallback.split(", ");
      return names.length === each.length ? names.map((name, i) => [name, each[i]] as const) : [];
    }),
  );
  const { files, haproxy, host, front, acme, confirm, logging } = readSettings({});
  const below = (path: string) => path.replace(`${files.root}/`, "");
  for (
    const [name, value] of [
      ["HAPROXY_ROOT", files.root],
      ["HAPROXY_HOST", haproxy.host],
      ["HAPROXY_PORT", haproxy.port],
      ["HAPROXY_POOL_COUNT", haproxy.poolCount],
      ["HAPROXY_MAX_SLOTS", haproxy.maxSlots],
      ["HAPROXY_MAP_FILE", below(files.map)],
      ["HAPROXY_SERVERS_FILE", below(files.servers)],
      ["HAPROXY_SERVER_STATE_FILE", below(files.serverState)],
      ["HAPROXY_STATE_FILE", below(files.savedState)],
      ["HAPROXY_CONFIG_FILE", below(host.configFile)],
      ["HAPROXY_RELOAD", host.reload],
      ["HAPROXY_CONTAINER", host.container],
      ["MCP_HOST", front.host],
      ["MCP_PORT", front.port],
      ["MCP_TRUSTED_NETWORKS", front.trustedNetworks[0]],
      ["MCP_TRUSTED_ACCESS", front.trustedAccess],
      ["MCP_READ_ONLY", front.readOnly],
      ["MCP_CONFIRM", confirm],
      ["MCP_MAX_SESSIONS", front.maxSessions],
      ["MCP_SESSION_IDLE", front.sessionIdle],
      ["MCP_RATE", `${front.rate?.perSecond}/${front.rate?.burst}`],
      ["MCP_AUTO_RENEW", acme.autoRenew],
      ["ACME_CLIENT", acme.client],
      ["LOG_LEVEL", logging.level],
      ["LOG_FORMAT", logging.format],
    ] as const
  ) assert.equal(fallbacks.get(name), String(value), name);
});
