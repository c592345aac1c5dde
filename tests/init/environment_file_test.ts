import assert from "node:assert/strict";
import { environmentFile, missingLines } from "../../lib/init/environment_file.ts";
import { readSettings, VARIABLES } from "../../lib/config.ts";

const active = (text: string) => text.split("\n").filter((line) => /^[^#]/.test(line));

Deno.test("environmentFile sets nothing by itself, and shows settings that there are", () => {
  const text = environmentFile({});
  assert.deepEqual(active(text), []);
  const shown = text.match(/^#[A-Za-z_]+=/gm)!.map((line) => line.slice(1, -1));
  assert.ok(shown.length >= 20);
  for (const name of shown) assert.ok((VARIABLES as readonly string[]).includes(name), name);
});

Deno.test("environmentFile shows what readSettings takes", () => {
  const shown = environmentFile({}).matchAll(/^#([A-Za-z_]+)=(.*)$/gm);
  assert.doesNotThrow(() => readSettings(Object.fromEntries([...shown].map(([, n, v]) => [n, v]))));
});

Deno.test("environmentFile sets what differs, each in its place, others at the end", () => {
  const text = environmentFile({ MCP_PORT: "8080", HAPROXY_MAP_NAME: "/m/domains.map" });
  assert.deepEqual(active(text), ["MCP_PORT=8080", "HAPROXY_MAP_NAME=/m/domains.map"]);
  assert.doesNotMatch(text, /^#MCP_PORT/m);
  assert.match(text, /\n# Others\.\nHAPROXY_MAP_NAME=\/m\/domains\.map\n$/);
});

Deno.test("environmentFile quotes what systemd would read otherwise", () => {
  const value = 'a "b" \\c $d `e`';
  assert.deepEqual(active(environmentFile({ CF_Token: value })), [
    'CF_Token="a \\"b\\" \\\\c \\$d \\`e\\`"',
  ]);
});

Deno.test("missingLines names what a file does not set like this", () => {
  const text = "MCP_PORT=8080\n#HAPROXY_MASTER=127.0.0.1:9998\n";
  assert.deepEqual(missingLines(text, { MCP_PORT: "8080", HAPROXY_MASTER: "127.0.0.1:9998" }), [
    "HAPROXY_MASTER=127.0.0.1:9998",
  ]);
});
