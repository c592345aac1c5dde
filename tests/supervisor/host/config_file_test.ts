/** What of haproxy.cfg crosses to readers: everything but secrets. */
import assert from "node:assert/strict";
import { hideSecrets, readWithoutSecrets } from "../../../lib/supervisor/host/config_file.ts";

for (
  const [line, shown] of [
    ["    stats auth admin:s3cret", "    stats auth admin:(hidden)"],
    [
      "    user joe insecure-password s3cret groups g",
      "    user joe insecure-password (hidden) groups g",
    ],
    ["    user joe password $5$s3cret", "    user joe password (hidden)"],
    [
      '    http-request set-header Authorization "Basic s3cret"',
      "    http-request set-header Authorization (hidden)",
    ],
    [
      "    http-check send hdr Proxy-Authorization s3cret",
      "    http-check send hdr Proxy-Authorization (hidden)",
    ],
    [
      "    http-request set-header X-Api-Key s3cret",
      "    http-request set-header X-Api-Key (hidden)",
    ],
    ["    setenv DB_PASS s3cret", "    setenv DB_PASS (hidden)"],
    ["    presetenv T s3cret s3cret", "    presetenv T (hidden)"],
    ["    httpclient.url http://u:s3cret@host/", "    httpclient.url http://u:(hidden)@host/"],
    [
      "    acl ok req.hdr(x) -m str Bearer s3cretS3cret",
      "    acl ok req.hdr(x) -m str Bearer (hidden)",
    ],
  ] as const
) {
  Deno.test(`hideSecrets: ${line.trim().replace(/s3cret/gi, "…")}`, () => {
    assert.equal(hideSecrets(line), shown);
  });
}

Deno.test("hideSecrets leaves an ordinary configuration as it is", () => {
  const text =
    `global\n    stats socket ipv4@127.0.0.1:9999 level admin\n    cookie SRV insert indirect nocache
    http-request auth realm x unless { http_auth(users) }\n    option httpchk GET /health\n    timeout client 60s
    bind :443 ssl crt-list /opt/haproxy/certs/crt-list.txt alpn h2,http/1.1\n    server a 10.0.0.1:80 check\n`;
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
