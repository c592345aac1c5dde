/** What the generated haproxy.cfg does with requests, on every version. No agent: the files are written by hand. */
import assert from "node:assert/strict";
import { type Backend, startBackend } from "../support/backend.ts";
import { eventually } from "../support/eventually.ts";
import { type Haproxy, HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";
import { type Answer, request } from "../support/request.ts";
import { requestHttp2 } from "../support/request_http2.ts";
import { serverState } from "./fixtures.ts";

const DOMAINS = `
example.com pool_1
.example.com pool_2
api.example.com pool_3
empty.example.org pool_4
gone.example.org pool_99
`;

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`a request finds its pool: ${version}`, async (t) => {
    await using exact = startBackend("exact");
    await using wildcard = startBackend("wildcard");
    await using api = startBackend("api");
    await using haproxy = await startHaproxy({
      version,
      pools: 4,
      slots: 2,
      domains: DOMAINS,
      state: serverState([exact, wildcard, api].map((server, index) => (
        { pool: index + 1, slot: 1, server }
      ))),
    });
    const { httpPort, httpsPort } = haproxy.options;
    const get = (host: string, path?: string, headers?: Record<string, string>) =>
      request({ port: httpPort, host, path, headers });

    const routes: Readonly<Record<string, string>> = {
      "example.com": "exact\n",
      "EXAMPLE.com": "exact\n",
      "example.com.": "exact\n",
      [`example.com:${httpPort}`]: "exact\n",
      [`Example.COM.:${httpPort}`]: "exact\n",
      "www.example.com": "wildcard\n",
      "WWW.example.com.": "wildcard\n",
      "api.example.com": "api\n",
    };
    for (const [host, body] of Object.entries(routes)) {
      await t.step(`${host} is served by ${body.trim()}`, async () => {
        assert.deepEqual(plain(await get(host)), { status: 200, body });
      });
    }

    const strangers = ["other.test", "a.b.example.com", "notexample.com", "example.com.evil.test"];
    strangers.push("127.0.0.1", "[::1]", "gone.example.org", "com");
    for (const host of strangers) {
      await t.step(`${host} is an unknown host: 404 that no cache keeps`, async () => {
        const { status, headers, body } = await get(host);
        assert.equal(status, 404);
        assert.match(body, /Unknown host/);
        assert.equal(headers["cache-control"], "no-store");
      });
    }

    await t.step("a pool without a usable server answers HAProxy's own 503", async () => {
      const { status, body } = await get("empty.example.org");
      assert.equal(status, 503);
      assert.match(body, /No server is available/);
    });

    await t.step("HTTPS serves the same over HTTP/2", async () => {
      const answer = await requestHttp2({ port: httpsPort, host: "www.example.com" });
      assert.deepEqual({ ...plain(answer), protocol: answer.protocol }, {
        status: 200,
        body: "wildcard\n",
        protocol: "h2",
      });
    });

    await t.step("what a client says about its origin is replaced", async () => {
      const forged = {
        "x-forwarded-for": "192.0.2.66",
        "x-forwarded-proto": "gopher",
        "x-forwarded-host": "evil.test",
        "x-forwarded-anything": "evil",
        "x-real-ip": "192.0.2.66",
        "forwarded": "for=192.0.2.66",
        "x-mine": "kept",
      };
      const overHttp = JSON.parse((await get("example.com", "/headers", forged)).body);
      const expected = {
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "example.com",
        "x-mine": "kept",
      };
      assert.deepEqual(pick(overHttp, Object.keys(forged)), expected);
      const overHttps = await requestHttp2({
        port: httpsPort,
        host: "example.com",
        path: "/headers",
        headers: forged,
      });
      assert.deepEqual(pick(JSON.parse(overHttps.body), Object.keys(forged)), {
        ...expected,
        "x-forwarded-proto": "https",
      });
    });

    await t.step("HTTP/3 is bound and advertised where the TLS library has QUIC", async () => {
      const { headers } = await requestHttp2({ port: httpsPort, host: "example.com" });
      const quic = version !== "3.0";
      assert.equal(await listensOnUdp(httpsPort), quic);
      assert.equal(headers["alt-svc"], quic ? `h3=":${httpsPort}"; ma=3600` : undefined);
    });

    await t.step("the default certificate is haproxy-mcp.invalid's, for ten years", async () => {
      const certificate = await haproxy.runtime(
        `show ssl cert ${haproxy.root}/certs/default.pem`,
      );
      assert.match(certificate, /^Subject Alternative Name: DNS:haproxy-mcp\.invalid$/m);
      assert.match(certificate, /^Algorithm: EC256$/m);
      const years = yearOf(certificate, "notAfter") - yearOf(certificate, "notBefore");
      assert.equal(years, 10);
    });

    await t.step("the map has one reference, by the name that stands in the config", async () => {
      const references = (await haproxy.runtime("show map")).split("\n").slice(1).filter(Boolean);
      assert.equal(references.length, 1);
      assert.ok(references[0].includes(`(${haproxy.options.map})`));
    });

    await t.step("every request is logged with its host", async () => {
      await get("example.com", "/status?code=500");
      const line = /pool_1\/pool_1_1 .* 500 .*\{example\.com\} "GET \/status/;
      // HAProxy writes it once the request is over, which may be after its client has the answer.
      await eventually(async () => line.test(await haproxy.logs()));
    });
  });

  Deno.test(`a server that is down is passed over at once: ${version}`, async () => {
    await using alive = startBackend("alive");
    const dead = startBackend("dead");
    await dead.stop();
    await using haproxy = await startHaproxy({
      version,
      pools: 1,
      slots: 2,
      domains: "example.com pool_1\n",
      state: serverState([
        { pool: 1, slot: 1, server: alive },
        { pool: 1, slot: 2, server: dead },
      ]),
    });
    for (let round = 0; round < 6; round++) {
      assert.deepEqual(plain(await get(haproxy, "example.com")), { status: 200, body: "alive\n" });
    }
  });

  Deno.test(`HTTP checks take a server down that answers 500: ${version}`, async () => {
    await using broken = startBackend("broken");
    const served = (checkPath: string) => afterChecks(version, broken, checkPath);
    assert.equal(await served("/status?code=200"), 200);
    assert.equal(await served("/status?code=500"), 503);
  });
}

/** The status that a client gets once the server has been checked. */
async function afterChecks(
  version: Haproxy["version"],
  server: Backend,
  checkPath: string,
): Promise<number> {
  await using haproxy = await startHaproxy({
    version,
    pools: 1,
    slots: 1,
    checkPath,
    domains: "example.com pool_1\n",
    state: serverState([{ pool: 1, slot: 1, server }]),
    // One failed check decides, ten times as fast as in production.
    edit: (config) => config.replace("inter 2s fall 2", "inter 200ms fall 1"),
  });
  const checks = server.requests + 3;
  while (server.requests < checks) await new Promise((resolve) => setTimeout(resolve, 20));
  return (await get(haproxy, "example.com")).status;
}

function get(haproxy: Haproxy, host: string): Promise<Answer> {
  return request({ port: haproxy.options.httpPort, host });
}

function plain({ status, body }: Answer) {
  return { status, body };
}

function pick(headers: Readonly<Record<string, string>>, names: readonly string[]) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => names.includes(name)));
}

/** The kernel's table of UDP sockets: addresses and ports in hexadecimal. */
async function listensOnUdp(port: number): Promise<boolean> {
  const { stdout } = await new Deno.Command("cat", { args: ["/proc/net/udp"] }).output();
  const wanted = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return new TextDecoder().decode(stdout).includes(wanted);
}

function yearOf(certificate: string, field: string): number {
  return Number(new RegExp(`^${field}: .* (\\d{4}) GMT$`, "m").exec(certificate)?.[1]);
}
