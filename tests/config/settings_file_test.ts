import assert from "node:assert/strict";
import { join } from "node:path";
import { parseEnvironmentFile, readSettingsFile } from "../../lib/config/settings_file.ts";

Deno.test("parseEnvironmentFile reads what systemd's EnvironmentFile holds", () => {
  assert.deepEqual(
    parseEnvironmentFile(String.raw`# comment
; HAPROXY_HOST=comment
HAPROXY_PORT=9998
 MCP_HOST = nobody
MCP_RATE="9/9"
CF_Token='a b'
LOG_LEVEL=
ACME_EMAIL=  "a\"b\$c\d"
ACME_EAB_KID='a\b'"c"d\ e
HAPROXY_BINARY=/opt/ha\
proxy
MCP_ALLOWED_HOSTS="a,
HAPROXY_MASTER=b"
MCP_HOST=::1`),
    {
      HAPROXY_PORT: "9998",
      MCP_RATE: "9/9",
      CF_Token: "a b",
      LOG_LEVEL: "",
      ACME_EMAIL: String.raw`a"b$c\d`,
      ACME_EAB_KID: String.raw`a\bcd e`,
      HAPROXY_BINARY: "/opt/haproxy",
      MCP_ALLOWED_HOSTS: "a,\nHAPROXY_MASTER=b",
      MCP_HOST: "::1",
    },
  );
});

Deno.test("readSettingsFile believes root and its own user, and nobody else", async () => {
  const root = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    const file = join(root, "conf/haproxy-mcp.env");
    assert.deepEqual(readSettingsFile(root), {});
    await Deno.mkdir(join(root, "conf"));
    await Deno.writeTextFile(file, "LOG_LEVEL=DEBUG\n", { mode: 0o600 });
    assert.deepEqual(readSettingsFile(root), { LOG_LEVEL: "DEBUG" });
    await Deno.chmod(file, 0o620);
    assert.deepEqual(readSettingsFile(root), {});
    if (Deno.uid() === 0) {
      await Deno.chmod(file, 0o600);
      await Deno.chown(file, 12345, 0);
      assert.deepEqual(readSettingsFile(root), {});
    }
    await Deno.remove(file);
    await Deno.mkdir(file);
    assert.deepEqual(readSettingsFile(root), {});
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
