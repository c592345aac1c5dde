/** What of haproxy.cfg crosses to readers: everything but secrets. */
import assert from "node:assert/strict";
import { readWithoutSecrets } from "../../../lib/supervisor/host/config_file.ts";
import { hideSecrets } from "../../../lib/supervisor/host/config_secrets.ts";

const SECRETS = /s3cret|hunter|aHVudGVy/;

for (
  const line of [
    "stats auth admin:s3cret",
    "user joe insecure-password s3cret groups g",
    'user joe insecure-password "my s3cret pass" groups g',
    "user joe insecure-password my\\ s3cret\\ pass groups g",
    "user joe password $5$s3cret",
    "ca-sign-pass s3cret",
    "dynamic-cookie-key s3cret",
    'http-request set-header Authorization "Basic s3cret"',
    "http-request set-header X-Api-Key s3cret if { path /a }",
    'http-request set-header Cookie "session=s3cret"',
    'http-request add-header Proxy-Authorization "Bearer s3cret"',
    "http-request replace-header Cookie (.*) s3cret",
    "http-request deny unless { req.hdr(X-Api-Key) -m str s3cret }",
    "http-request deny if { req.hdr(x-auth-token) -m str s3cret } !{ path / }",
    "acl ok req.cook(session) -m str s3cret hunter2",
    "acl ok url_param(token) -m str s3cret",
    'acl ok http_auth_bearer,jwt_verify(txn.alg,"s3cret")',
    "http-request set-var(txn.h) req.body,hmac(sha256,aHVudGVyMg==),hex",
    'http-request set-var(txn.p) req.hdr(x),aes_gcm_dec(128,txn.n,"s3cret",txn.t)',
    'tcp-check send "AUTH s3cret\\r\\n"',
    "tcp-check send-binary s3cret",
    "http-check send meth GET uri / hdr X-Auth s3cret",
    "http-check send meth POST uri / body s3cret",
    'http-request set-query "token=s3cret"',
    "setenv DB_PASS s3cret",
    "presetenv T s3cret s3cret",
    "httpclient.url http://u:s3cret@host/",
    "acl ok req.hdr(x) -m str Bearer\\ s3cretS3cret",
    "acl ok http_auth_pass -m str s3cret",
    "acl ok http_auth_bearer -m str -i s3cret",
    "# stats auth admin:s3cret",
    "#stats auth admin:s3cret",
    "## no stats auth admin:s3cret",
    "no stats auth admin:s3cret",
    "#   setenv DB_PASS s3cret",
    "# http-check send meth GET uri / hdr X-Auth s3cret",
    "http-request set-path /x?sig=s3cret",
    "server a 10.0.0.1:80 check socks4 10.0.0.1:1 # password s3cret",
  ]
) {
  Deno.test(`hideSecrets: ${line.replace(/s3cret|hunter2/gi, "…")}`, () => {
    const shown = hideSecrets(`    ${line}`);
    assert.doesNotMatch(shown, SECRETS);
    assert.match(shown, /\(hidden\)/);
  });
}

Deno.test("hideSecrets keeps what stands around a secret", () => {
  const shown = (line: string) => hideSecrets(line);
  assert.equal(shown('user a password "b c" groups g'), "user a password (hidden) groups g");
  assert.equal(
    shown("http-request deny if { req.hdr(X-Api-Key) -m str -i s3cret } !{ path /a }"),
    "http-request deny if { req.hdr(X-Api-Key) -m str -i (hidden) } !{ path /a }",
  );
  assert.equal(
    shown("http-request set-header X-Api-Key s3cret if { path /a }"),
    "http-request set-header X-Api-Key (hidden) if { path /a }",
  );
});

Deno.test("hideSecrets leaves an ordinary configuration as it is", () => {
  const text =
    `global\n    stats socket ipv4@127.0.0.1:9999 level admin\n    cookie SRV insert indirect nocache
    http-request auth realm x unless { http_auth(users) }\n    option httpchk GET /health\n    timeout client 60s
    http-request set-header x-forwarded-proto https\n    http-request set-var(txn.host) req.hdr(host),host_only,lower
    http-check send meth GET uri /health\n    acl a req.hdr(host) -m str a.test b.test\n    log "a:b" local0
    bind :443 ssl crt-list /opt/haproxy/certs/crt-list.txt alpn h2,http/1.1\n    server a 10.0.0.1:80 check\n`;
  assert.equal(hideSecrets(text), text);
});

Deno.test("what init writes has no secret, and stays as it is", async () => {
  const { defaultOptions } = await import("../../../lib/init/options.ts");
  const { haproxyConfig } = await import("../../../lib/init/config.ts");
  const text = haproxyConfig(defaultOptions("/opt/haproxy"));
  assert.equal(hideSecrets(text), text);
});

Deno.test("readWithoutSecrets: what can't be read is NOT_FOUND with the reason", async () => {
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    await assert.rejects(readWithoutSecrets(`${folder}/none.cfg`), {
      code: "NOT_FOUND",
      message: /no such file/,
    });
    await assert.rejects(readWithoutSecrets(folder), { code: "NOT_FOUND", message: /not a file/ });
  } finally {
    await Deno.remove(folder);
  }
});
