import { equal, throws } from "node:assert/strict";
import { join } from "node:path";
import { settingsFrom } from "../../lib/cli/flags.ts";

Deno.test("settingsFrom reads secrets once, and leaves none in the environment", () => {
  const secrets = { CF_Token: "token", ACME_EAB_KID: "kid", ACME_EAB_HMAC_KEY: "aGV5" };
  for (const [name, value] of Object.entries(secrets)) Deno.env.set(name, value);
  const { acme } = settingsFrom({});
  const { token } = acme.cloudflare;
  equal(token && "value" in token && token.value, "token");
  for (const name of Object.keys(secrets)) equal(Deno.env.get(name), undefined, name);
});

Deno.test("settingsFrom: a flag wins over the environment, and that over conf/haproxy-mcp.env", async () => {
  const root = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    const file = join(root, "conf/haproxy-mcp.env");
    await Deno.mkdir(join(root, "conf"));
    await Deno.writeTextFile(file, "HAPROXY_PORT=1\nMCP_PORT=2\nHAPROXY_HOST=a\nHAPROXY_ROOT=/x\n");
    Deno.env.set("HAPROXY_PORT", "3");
    const { files, haproxy, front } = settingsFrom({ root, haproxyHost: "b" });
    equal(files.root, root);
    equal(haproxy.port, 3);
    equal(front.port, 2);
    equal(haproxy.host, "b");
    await Deno.writeTextFile(file, "MCP_PORT=x\n");
    throws(() => settingsFrom({ root }), {
      message: /^MCP_PORT="x" is not usable: .* It stands in \S+haproxy-mcp\.env\.$/,
    });
    // The environment's own fault is not the file's.
    throws(() => settingsFrom({ root, port: "y" }), { message: /^MCP_PORT="y" [^/]+$/ });
  } finally {
    Deno.env.delete("HAPROXY_PORT");
    await Deno.remove(root, { recursive: true });
  }
});
