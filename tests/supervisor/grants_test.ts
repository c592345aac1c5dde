import assert from "node:assert/strict";
import { readSettings } from "../../lib/config.ts";
import { httpGrants, toolsGrants } from "../../lib/supervisor/grants.ts";

const settings = (env: Record<string, string> = {}) => readSettings(env);

for (const host of ["localhost", "LOCALHOST", "127.0.0.1", "::1"]) {
  Deno.test(`toolsGrants: ${host} is granted in every spelling of loopback`, () => {
    assert.deepEqual(toolsGrants("/srv/haproxy", settings({ HAPROXY_HOST: host }).haproxy), {
      read: ["/srv/haproxy"],
      write: ["/srv/haproxy"],
      net: ["localhost:9999", "127.0.0.1:9999", "[::1]:9999"],
    });
  });
}

Deno.test("toolsGrants: another host is granted alone, an IPv6 address in brackets", () => {
  const haproxy = (host: string) => settings({ HAPROXY_HOST: host, HAPROXY_PORT: "19" }).haproxy;
  assert.deepEqual(toolsGrants("/r", haproxy("127.0.0.2")).net, ["127.0.0.2:19"]);
  assert.deepEqual(toolsGrants("/r", haproxy("haproxy")).net, ["haproxy:19"]);
  assert.deepEqual(toolsGrants("/r", haproxy("2001:db8::1")).net, ["[2001:db8::1]:19"]);
});

Deno.test("httpGrants: the listening address and nothing else", () => {
  assert.deepEqual(httpGrants(settings().front), { net: ["0.0.0.0:8000"] });
  assert.deepEqual(httpGrants(settings({ MCP_HOST: "::" }).front), { net: ["[::]:8000"] });
});
