import assert from "node:assert/strict";
import { readSettings } from "../../lib/config.ts";
import { acmeGrants, httpGrants, toolsGrants } from "../../lib/supervisor/grants.ts";

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

Deno.test("httpGrants: where OAuth is on, the host that has the issuer's keys too", () => {
  const granted = (issuer: string, keys = "") => {
    const env = { MCP_OAUTH_ISSUER: issuer, MCP_OAUTH_AUDIENCE: "mcp", MCP_OAUTH_JWKS_URL: keys };
    return httpGrants(settings(env).front);
  };
  const and = (address: string) => ({ net: ["0.0.0.0:8000", address] });
  assert.deepEqual(granted("https://id.test/tenant"), and("id.test:443"));
  assert.deepEqual(granted("https://id.test:8443"), and("id.test:8443"));
  assert.deepEqual(granted("http://localhost"), and("localhost:80"));
  assert.deepEqual(granted("https://[2001:db8::1]/"), and("[2001:db8::1]:443"));
  // Then the issuer is not asked where they are.
  assert.deepEqual(granted("https://id.test", "https://keys.test/k"), and("keys.test:443"));
});

Deno.test("acmeGrants: the CA's host and the DNS provider's, with their ports", () => {
  const granted = (env: Record<string, string>) => acmeGrants(settings(env).acme).net;
  assert.deepEqual(granted({}), ["dv.acme-v02.api.pki.goog:443", "api.cloudflare.com:443"]);
  assert.deepEqual(
    granted({ ACME_DIRECTORY: "https://[::1]:14000/dir", CF_API_URL: "https://localhost:8443/v4" }),
    ["[::1]:14000", "localhost:8443"],
  );
  const both = { ACME_DIRECTORY: "https://ca.test/dir", CF_API_URL: "https://ca.test/v4" };
  assert.deepEqual(granted(both), ["ca.test:443"]);
});
