/** Who sees the status page: the guards before it, signing in and out, and what the cookie is good for. */
import { deepEqual, doesNotMatch, equal, match, notEqual, ok } from "node:assert/strict";
import { oauthEnv, startIssuer } from "../support/issuer.ts";
import { cookieIn, openStatusRig, signIn } from "./overview.ts";
import { bearer, INITIALIZE, post, statusOf } from "./raw.ts";
import { digestOf, FULL_TOKEN, READ_TOKEN } from "./rig.ts";

Deno.test("/: without a token 401 and a form that a person can read, which says nothing of HAProxy", async () => {
  await using rig = await openStatusRig();
  const answer = await fetch(rig.page);
  equal(answer.status, 401);
  equal(answer.headers.get("www-authenticate"), "Bearer");
  match(answer.headers.get("content-type") ?? "", /^text\/html/);
  const text = await answer.text();
  match(text, /<form method="post" action="\/">/);
  match(text, /<input type="password"/);
  doesNotMatch(text, /a\.test|pool_1|<script/);
});

for (const token of [FULL_TOKEN, READ_TOKEN]) {
  Deno.test(`/: ${token} signs a browser in, and out again`, async () => {
    await using rig = await openStatusRig();
    const answer = await signIn(rig.page, token);
    deepEqual([answer.status, answer.headers.get("location")], [303, "/"]);
    const [cookie] = answer.headers.getSetCookie();
    for (const property of ["HttpOnly", "SameSite=Strict", "Path=/"]) {
      ok(cookie.split("; ").includes(property), cookie);
    }
    const headers = { Cookie: cookieIn(answer) };
    const page = await fetch(rig.page, { headers });
    equal(page.status, 200);
    match(await page.text(), /a\.test[^]*Sign out|Sign out[^]*a\.test/);

    const out = await fetch(`${rig.page}status/sign-out`, {
      method: "POST",
      redirect: "manual",
      headers: { ...headers, Origin: new URL(rig.page).origin },
    });
    deepEqual([out.status, out.headers.get("location")], [303, "/"]);
    match(out.headers.getSetCookie()[0], /^haproxy_mcp=; Max-Age=0; Path=\//);
  });

  Deno.test(`/: ${token} as a bearer needs no cookie, and there is nothing to sign out of`, async () => {
    await using rig = await openStatusRig();
    const page = await fetch(rig.page, { headers: bearer(token) });
    deepEqual([page.status, page.headers.getSetCookie()], [200, []]);
    doesNotMatch(await page.text(), /Sign out/);
  });
}

Deno.test("the cookie is Secure where the browser came by https", async () => {
  await using rig = await openStatusRig();
  const plain = await signIn(rig.page, FULL_TOKEN);
  const host = new URL(rig.page).host;
  const secure = await signIn(rig.page, FULL_TOKEN, { Origin: `https://${host}` });
  doesNotMatch(plain.headers.getSetCookie()[0], /Secure/);
  match(secure.headers.getSetCookie()[0], /; Secure/);
});

Deno.test("the cookie opens the page alone: not /mcp, not /metrics, and it is no token", async () => {
  await using rig = await openStatusRig();
  const cookie = cookieIn(await signIn(rig.page, FULL_TOKEN));
  const value = cookie.split("=")[1];
  notEqual(value, FULL_TOKEN);
  for (const headers of [{ Cookie: cookie }, bearer(value)]) {
    equal(await statusOf(post(rig.url, INITIALIZE, headers)), 401);
    equal(await statusOf(fetch(`${rig.page}metrics`, { headers })), 401);
  }
  equal(await statusOf(fetch(rig.page, { headers: bearer(value) })), 401);
  equal(await statusOf(fetch(rig.page, { headers: { Cookie: cookie } })), 200);
});

Deno.test("a wrong token is 401 with the form and its reason; many of them are 429", async () => {
  await using rig = await openStatusRig();
  const answer = await signIn(rig.page, "wrong");
  deepEqual([answer.status, answer.headers.getSetCookie()], [401, []]);
  match(await answer.text(), /role="alert">This token is not accepted\.[^]*<form/);
  for (const typed of ["", "two words", "wörter"]) {
    const answer = await signIn(rig.page, typed);
    equal(answer.status, 401);
    match(await answer.text(), /role="alert">This token is not accepted/, typed);
  }
  const answers = await Promise.all(
    Array.from({ length: 14 }, () => signIn(rig.page, "wrong")),
  );
  const refused = answers.find(({ status }) => status === 429);
  ok(refused && Number(refused.headers.get("retry-after")) > 0);
  const texts = await Promise.all(answers.map((each) => each.text()));
  ok(texts.some((text) => /<p role="alert">Too many wrong tokens/.test(text)));
  equal(await statusOf(signIn(rig.page, FULL_TOKEN)), 303);
});

Deno.test("a cookie that is none of ours is a failure like a wrong token, and is taken back", async () => {
  await using rig = await openStatusRig();
  const ask = () => fetch(rig.page, { headers: { Cookie: "haproxy_mcp=guess" } });
  const answer = await ask();
  equal(answer.status, 401);
  match(answer.headers.getSetCookie()[0], /^haproxy_mcp=; Max-Age=0/);
  match(await answer.text(), /signed out/);
  const statuses = await Promise.all(Array.from({ length: 14 }, () => statusOf(ask())));
  deepEqual([...new Set(statuses)].sort(), [401, 429]);
});

Deno.test("a token that is gone from the token file signs out whoever came with it", async () => {
  await using rig = await openStatusRig();
  const [full, read] = await Promise.all(
    [FULL_TOKEN, READ_TOKEN].map(async (token) => cookieIn(await signIn(rig.page, token))),
  );
  await rig.front.call("setTokens", { full: [], read: [await digestOf(READ_TOKEN)] });
  equal(await statusOf(fetch(rig.page, { headers: { Cookie: full } })), 401);
  equal(await statusOf(fetch(rig.page, { headers: { Cookie: read } })), 200);
});

Deno.test("pages of others can't sign anybody in or out: Host and Origin are checked first", async () => {
  await using rig = await openStatusRig();
  for (const origin of ["https://evil.example", "null"]) {
    equal(await statusOf(signIn(rig.page, FULL_TOKEN, { Origin: origin })), 403, origin);
    const headers = { Origin: origin, ...bearer(FULL_TOKEN) };
    const out = fetch(`${rig.page}status/sign-out`, { method: "POST", headers });
    equal(await statusOf(out), 403, origin);
  }
});

Deno.test("the form counts against MCP_RATE, and says so in a page", async () => {
  await using rig = await openStatusRig(undefined, { env: { MCP_RATE: "1/2" } });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => signIn(rig.page, FULL_TOKEN)),
  );
  deepEqual([...new Set(answers.map(({ status }) => status))].sort(), [303, 429]);
  const refused = answers.find(({ status }) => status === 429)!;
  match(await refused.text(), /<p role="alert">Too many requests/);
});

Deno.test("a form that is too large is 413, one that is no form is nothing", async () => {
  await using rig = await openStatusRig();
  equal(await statusOf(signIn(rig.page, "x".repeat(20_000))), 413);
  const lost = await post(rig.page, INITIALIZE, bearer(FULL_TOKEN));
  equal(lost.status, 404);
  match((await lost.json()).error.message, /MCP is served at \/mcp/);
});

Deno.test("in a trusted network the page is open, and a typed token signs in there, too", async () => {
  const env = { MCP_TRUSTED_NETWORKS: "127.0.0.0/8", MCP_TRUSTED_ACCESS: "read" };
  await using rig = await openStatusRig(undefined, { env });
  const page = await fetch(rig.page);
  equal(page.status, 200);
  doesNotMatch(await page.text(), /Sign out/);
  const answer = await signIn(rig.page, READ_TOKEN);
  equal(answer.status, 303);
  match(cookieIn(answer), /^haproxy_mcp=./);
});

Deno.test("an OAuth token sees the page as a bearer; typed into the form it makes no cookie", async () => {
  await using issuer = await startIssuer();
  await using rig = await openStatusRig(undefined, { env: oauthEnv(issuer) });
  const token = await issuer.sign({ scope: "haproxy:read" });
  equal(await statusOf(fetch(rig.page, { headers: bearer(token) })), 200);
  const typed = await signIn(rig.page, token);
  deepEqual([typed.status, typed.headers.getSetCookie()], [401, []]);
  match(await typed.text(), /only one of the token file/);
  equal(await statusOf(fetch(rig.page, { headers: bearer(await issuer.sign({ exp: 1 })) })), 401);
  const none = await fetch(rig.page, { headers: bearer(await issuer.sign({ scope: "openid" })) });
  equal(none.status, 403);
  match(await none.text(), /none of the scopes/);
});
