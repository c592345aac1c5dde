import assert from "node:assert/strict";
import { settingsOfUnit } from "../../lib/takeover/unit.ts";
import { UNIT } from "./original.ts";

Deno.test("settingsOfUnit reads what Environment= lines set, and names the rest", () => {
  assert.deepEqual(settingsOfUnit(UNIT), {
    settings: { MCP_PORT: "8010", LOG_LEVEL: "DEBUG", CF_Token: "secret-of-cloudflare" },
    unknown: ["PYTHONUNBUFFERED"],
    files: ["/opt/haproxy/conf/extra.env"],
  });
});

Deno.test("settingsOfUnit splits words as systemd does", () => {
  const value = (line: string) => settingsOfUnit(`Environment=${line}\n`).settings;
  assert.deepEqual(value(`"ACME_EMAIL=a b"`), { ACME_EMAIL: "a b" });
  assert.deepEqual(value(`ACME_EMAIL='a "b"' MCP_PORT=1`), { ACME_EMAIL: 'a "b"', MCP_PORT: "1" });
  assert.deepEqual(value(`"ACME_EMAIL=a\\"b"`), { ACME_EMAIL: 'a"b' });
  assert.deepEqual(value("ACME_EMAIL=100%%"), { ACME_EMAIL: "100%" });
  assert.deepEqual(value("MCP_PORT=1 \\\n  HAPROXY_PORT=2"), { MCP_PORT: "1", HAPROXY_PORT: "2" });
  assert.deepEqual(value("MCP_PORT="), {});
});

Deno.test("settingsOfUnit reads no comment", () => {
  assert.deepEqual(
    settingsOfUnit("#Environment=MCP_PORT=1\n; Environment=MCP_PORT=2\n").settings,
    {},
  );
});
