/** createTokenVerifier: which JWTs count, and what they grant. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { exportJWK, importSPKI, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { createTokenVerifier } from "../../../lib/front/access/oauth.ts";
import { AUDIENCE, type Issuer, startIssuer } from "../../support/issuer.ts";

const verifier = ({ url }: Issuer) => createTokenVerifier({ issuer: url, audience: AUDIENCE });
const now = () => Math.floor(Date.now() / 1000);
const base64 = (value: unknown) =>
  new TextEncoder().encode(JSON.stringify(value)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });

const SCOPES: readonly [JWTPayload, "full" | "read" | undefined][] = [
  [{ scope: "haproxy:read" }, "read"],
  [{ scope: "haproxy:write" }, "full"],
  [{ scope: "openid haproxy:write haproxy:read" }, "full"],
  [{ scope: undefined, scp: ["profile", "haproxy:read"] }, "read"],
  [{ scope: undefined, scp: "haproxy:read haproxy:write" }, "full"],
  [{ scope: "openid", scp: ["haproxy:write"] }, "full"],
  [{ scope: "openid profile" }, undefined],
  [{ scope: "haproxy:writes xhaproxy:read HAPROXY:READ" }, undefined],
  [{ scope: "" }, undefined],
  [{ scope: undefined }, undefined],
  [{ scope: undefined, scp: [1, null, ["haproxy:write"], {}] }, undefined],
  [{ scope: { "haproxy:write": true }, scp: 7 }, undefined],
];

Deno.test("createTokenVerifier: a token grants what its scopes say, and without ours nothing", async () => {
  await using issuer = await startIssuer();
  const verify = verifier(issuer);
  for (const [claims, access] of SCOPES) {
    const verdict = await verify(await issuer.sign(claims));
    if (access) equal(verdict.ok && verdict.access, access, JSON.stringify(claims));
    else deepEqual(verdict, { ok: false, why: "insufficient scope" }, JSON.stringify(claims));
  }
});

for (const alg of ["RS256", "PS384", "ES256", "ES384", "EdDSA"]) {
  Deno.test(`createTokenVerifier: ${alg} is taken`, async () => {
    await using issuer = await startIssuer({ alg });
    ok((await verifier(issuer)(await issuer.sign())).ok);
  });
}

Deno.test("createTokenVerifier: one of several audiences, a clock that is a little off, any access token's typ", async () => {
  await using issuer = await startIssuer();
  const verify = verifier(issuer);
  for (
    const claims of [
      { aud: ["https://other.example", AUDIENCE] },
      { exp: now() - 15 },
      { nbf: now() + 15 },
    ]
  ) {
    ok((await verify(await issuer.sign(claims))).ok, JSON.stringify(claims));
  }
  for (
    const typ of ["JWT", "jwt", "at+jwt", "application/at+jwt", "Application/AT+JWT", undefined]
  ) {
    ok((await verify(await issuer.sign({}, { typ }))).ok, typ);
  }
});

Deno.test("createTokenVerifier: a token that is too old, too new, another's or for another is wrong", async () => {
  await using issuer = await startIssuer();
  const verify = verifier(issuer);
  const cases: readonly [JWTPayload, RegExp][] = [
    [{ exp: now() - 40 }, /expired/],
    [{ nbf: now() + 40 }, /nbf/],
    [{ exp: undefined }, /exp/],
    [{ exp: "2999-01-01" as unknown as number }, /exp/],
    [{ iss: `${issuer.url}/` }, /iss/],
    [{ iss: "https://evil.example" }, /iss/],
    [{ iss: undefined }, /iss/],
    [{ aud: "https://mcp.example.com" }, /aud/],
    [{ aud: [`${AUDIENCE}/`, "client-1"] }, /aud/],
    [{ aud: undefined }, /aud/],
  ];
  for (const [claims, message] of cases) {
    const verdict = await verify(await issuer.sign(claims));
    ok(!verdict.ok && verdict.why === "wrong token", JSON.stringify(claims));
    match(verdict.message ?? "", message);
  }
  for (const typ of ["logout+jwt", "dpop+jwt", "secevent+jwt", "id_token", ""]) {
    const verdict = await verify(await issuer.sign({}, { typ }));
    ok(!verdict.ok && verdict.why === "wrong token", typ);
  }
});

Deno.test("createTokenVerifier: a token without the issuer's signature is wrong", async () => {
  await using issuer = await startIssuer({ alg: "RS256" });
  await using other = await startIssuer({ alg: "RS256" });
  const verify = verifier(issuer);
  const good = await issuer.sign();
  ok((await verify(good)).ok);
  const [header, claims, signature] = good.split(".");
  const payload = JSON.parse(new TextDecoder().decode(
    Uint8Array.fromBase64(claims, { alphabet: "base64url" }),
  ));
  const secret = (text: string) => new TextEncoder().encode(text);
  const pem = await issuer.publicKey();
  const hmac = (text: string) =>
    new SignJWT(payload).setProtectedHeader({ alg: "HS256", kid: "key-1" }).sign(secret(text));
  const jwk = await exportJWK(
    await importSPKI(await other.publicKey(), "RS256", { extractable: true }),
  );
  const forged = {
    "alg none": new UnsecuredJWT(payload).encode(),
    "alg none, with a signature": `${base64({ alg: "none" })}.${claims}.${signature}`,
    "alg NONE, with a signature": `${base64({ alg: "NONE" })}.${claims}.${signature}`,
    "HS256 with the public key": await hmac(pem),
    "HS256 with the public key, trimmed": await hmac(pem.trim()),
    "another's key": await other.sign({ iss: issuer.url }),
    "other claims": `${header}.${base64({ ...payload, sub: "root" })}.${signature}`,
    "no signature": `${header}.${claims}.`,
    "a short signature": good.slice(0, -4),
    "another algorithm in the header": `${
      base64({ alg: "PS256", kid: "key-1" })
    }.${claims}.${signature}`,
    "a key in its own header": await other.sign({ iss: issuer.url }, { jwk, kid: undefined }),
    "keys of its own choice": await other.sign({ iss: issuer.url }, { jku: other.keysUrl }),
    "JSON that is none": `${base64("x").slice(1)}.${claims}.${signature}`,
  };
  for (const [what, token] of Object.entries(forged)) {
    const verdict = await verify(token);
    ok(!verdict.ok && verdict.why === "wrong token", what);
  }
  deepEqual(other.requests, []);
});

Deno.test("createTokenVerifier: the subject is fit for a log line, and no two callers have one key", async () => {
  await using issuer = await startIssuer();
  const verify = verifier(issuer);
  const seen = async (claims: JWTPayload) => {
    const verdict = await verify(await issuer.sign(claims));
    ok(verdict.ok);
    return verdict;
  };
  const subject = async (claims: JWTPayload) => (await seen(claims)).subject;
  equal(await subject({}), "user-1");
  equal(await subject({ sub: undefined }), "client-1");
  equal(await subject({ sub: "", client_id: undefined, azp: "app" }), "app");
  equal(await subject({ sub: 7 as unknown as string }), "client-1");
  equal(await subject({ sub: undefined, client_id: undefined }), "unnamed");
  equal(await subject({ sub: 'é\n\x1b[31m "x"' }), '???[31m?"x"');
  equal((await subject({ sub: "x".repeat(500) })).length, 64);
  const callers = await Promise.all([
    seen({}),
    seen({ client_id: "client-2" }),
    seen({ sub: `${"x".repeat(64)}1` }),
    seen({ sub: `${"x".repeat(64)}2` }),
    seen({ sub: "é" }),
    seen({ sub: "è" }),
  ]);
  equal(new Set(callers.map(({ key }) => key)).size, callers.length);
  equal((await seen({ scope: "haproxy:read" })).key, callers[0].key);
});
