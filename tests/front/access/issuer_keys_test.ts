/** When the issuer is asked for its keys, and which keys count as its own. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { KeyTimes } from "../../../lib/front/access/issuer_keys.ts";
import { createTokenVerifier } from "../../../lib/front/access/oauth.ts";
import { AUDIENCE, type Issuer, startIssuer } from "../../support/issuer.ts";
import { captureLog } from "../../support/log.ts";

const METADATA = "/.well-known/oauth-authorization-server";
const OPENID = "/.well-known/openid-configuration";

const verifier = ({ url }: Issuer, times?: Partial<KeyTimes>, jwksUrl?: string) =>
  createTokenVerifier({ issuer: url, audience: AUDIENCE, ...(jwksUrl && { jwksUrl }) }, times);

Deno.test("the issuer is asked on the first JWT, once for many, and never for other tokens", async () => {
  await using issuer = await startIssuer();
  const verify = verifier(issuer);
  for (const token of ["opaque", "a.b", "a.b.c.d.e", "a..c", "a.b.", "a.b.c=", "a.b.c d", ""]) {
    deepEqual(await verify(token), { ok: false, why: "wrong token" });
  }
  deepEqual(issuer.requests, []);
  const token = await issuer.sign();
  const verdicts = await Promise.all(Array.from({ length: 50 }, () => verify(token)));
  ok(verdicts.every((verdict) => verdict.ok));
  deepEqual(issuer.requests, [METADATA, "/keys"]);
});

for (const path of ["", "/", "/tenant", "/tenant/"]) {
  Deno.test(`discovery: an issuer with the path "${path}", by RFC 8414 and by OpenID Connect`, async () => {
    const plain = path.replace(/\/$/, "");
    await using oauth = await startIssuer({ path });
    ok((await verifier(oauth)(await oauth.sign())).ok);
    deepEqual(oauth.requests, [`${METADATA}${plain}`, "/keys"]);
    await using openid = await startIssuer({ path, metadata: "openid" });
    ok((await verifier(openid)(await openid.sign())).ok);
    deepEqual(openid.requests, [`${METADATA}${plain}`, `${plain}${OPENID}`, "/keys"]);
  });
}

Deno.test("discovery: metadata of another issuer, and keys on another host, are not used", async () => {
  await using issuer = await startIssuer();
  await using elsewhere = await startIssuer();
  const cases: readonly [Record<string, unknown>, RegExp][] = [
    [{ issuer: "https://evil.example" }, /evil\.example/],
    [{ issuer: `${issuer.url}/` }, /MCP_OAUTH_ISSUER/],
    [{ issuer: undefined }, /MCP_OAUTH_ISSUER/],
    [{ jwks_uri: elsewhere.keysUrl }, /MCP_OAUTH_JWKS_URL/],
    [{ jwks_uri: issuer.keysUrl.replace("http:", "https:") }, /another host/],
    [{ jwks_uri: "/keys" }, /no jwks_uri/],
    [{ jwks_uri: undefined }, /no jwks_uri/],
  ];
  for (const [metadata, warning] of cases) {
    using log = captureLog();
    issuer.metadata = metadata;
    const verdict = await verifier(issuer)(await issuer.sign());
    ok(!verdict.ok && verdict.why === "issuer unreachable");
    equal(log.lines.length, 1);
    match(log.lines[0], warning);
  }
  ok(!issuer.requests.includes("/keys"));
  deepEqual(elsewhere.requests, []);
});

Deno.test("MCP_OAUTH_JWKS_URL: the keys are there, and no metadata is asked for", async () => {
  await using issuer = await startIssuer();
  await using keys = await startIssuer();
  const verify = verifier(issuer, {}, keys.keysUrl);
  ok((await verify(await keys.sign({ iss: issuer.url }))).ok);
  ok(!(await verify(await issuer.sign())).ok);
  deepEqual([issuer.requests, keys.requests], [[], ["/keys"]]);
});

Deno.test("a redirect, an answer that is too large, slow, or no key set: refused, and the log says why", async () => {
  await using issuer = await startIssuer();
  await using elsewhere = await startIssuer();
  const answers: readonly [() => Response | Promise<Response>, RegExp][] = [
    [() => Response.redirect(elsewhere.keysUrl), /redirect/],
    [() => new Response(" ".repeat(600 * 1024)), /larger than/],
    [() => new Response(null, { status: 503 }), /503/],
    [() => new Response("<html>"), /JSON/],
    [() => Response.json({ keys: "none" }), /malformed/],
    [() => Response.json(null), /malformed/],
    [() => delay(400).then(() => Response.json({})), /no answer in time/],
  ];
  for (const [answer, warning] of answers) {
    using log = captureLog();
    issuer.instead = (path) => path === "/keys" ? answer() : undefined;
    const verdict = await verifier(issuer, { deadline: 200 })(await issuer.sign());
    ok(!verdict.ok && verdict.why === "issuer unreachable");
    equal(log.lines.length, 1);
    match(log.lines[0], warning);
  }
  deepEqual(elsewhere.requests, []);
});

Deno.test("an issuer that is down: asked now and then, one warning, and no token in the log", async () => {
  await using issuer = await startIssuer();
  const token = await issuer.sign();
  await issuer.stop();
  using log = captureLog();
  const verify = verifier(issuer, { retry: 300 });
  for (let i = 0; i < 20; i++) ok(!(await verify(token)).ok);
  issuer.start();
  ok(!(await verify(token)).ok);
  deepEqual(issuer.requests, []);
  await delay(350);
  ok((await verify(token)).ok);
  equal(issuer.requests.length, 2);
  equal(log.lines.length, 1);
  match(log.lines[0], /^warning: The OAuth issuer's keys can't be had: .*refused/);
  ok(!log.lines.some((line) => line.includes(token.slice(-20))));
});

Deno.test("after a failure the issuer is asked again once the pause is over, not for every token", async () => {
  using log = captureLog();
  await using issuer = await startIssuer();
  issuer.instead = () => new Response(null, { status: 500 });
  const verify = verifier(issuer, { retry: 200 });
  const token = await issuer.sign();
  for (let i = 0; i < 30; i++) ok(!(await verify(token)).ok);
  equal(issuer.requests.length, 2);
  await delay(250);
  for (let i = 0; i < 30; i++) ok(!(await verify(token)).ok);
  equal(issuer.requests.length, 4);
  equal(log.lines.length, 1);
});

Deno.test("a new key is taken after the cooldown; unknown ones make the issuer no work before", async () => {
  await using issuer = await startIssuer();
  const verify = verifier(issuer, { cooldown: 300 });
  const old = await issuer.sign();
  ok((await verify(old)).ok);
  await issuer.rotate();
  const fresh = await issuer.sign();
  for (let i = 0; i < 20; i++) {
    ok(!(await verify(fresh)).ok);
    ok(!(await verify(await issuer.sign({}, { kid: `guess-${i}` }))).ok);
  }
  equal(issuer.requests.length, 2);
  await delay(350);
  ok((await verify(fresh)).ok);
  ok(!(await verify(old)).ok);
  equal(issuer.requests.length, 4);
});

Deno.test("keys are asked for again in time: a key that the issuer gave up is given up here", async () => {
  await using issuer = await startIssuer();
  const verify = verifier(issuer, { refresh: 200 });
  const old = await issuer.sign();
  ok((await verify(old)).ok);
  await issuer.rotate();
  ok((await verify(old)).ok);
  await delay(250);
  // Nobody waits for the younger keys while the last ones hold: they are fetched meanwhile.
  ok((await verify(old)).ok);
  for (let tries = 0; (await verify(old)).ok; tries++) {
    ok(tries < 100);
    await delay(10);
  }
});

Deno.test("an issuer that goes down later: the last keys hold for a time, and then no more", async () => {
  await using issuer = await startIssuer();
  const verify = verifier(issuer, { refresh: 50, retry: 50, most: 600 });
  const token = await issuer.sign();
  ok((await verify(token)).ok);
  await issuer.stop();
  await delay(100);
  ok((await verify(token)).ok);
  await delay(600);
  ok(!(await verify(token)).ok);
  issuer.start();
  await delay(100);
  ok((await verify(token)).ok);
});
