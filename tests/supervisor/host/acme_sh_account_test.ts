/** The account that acme.sh registers: kept as data under the root, which others can write. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ISSUES, KEY, openAcmeSh } from "./acme_sh_fixtures.ts";
import { call } from "./fixtures.ts";

const wanted = { domain: "example.test", wildcard: false } as const;

const REGISTERS = `if [ -z "$(grep ACCOUNT_URL "$home/ca.conf")" ]; then
echo "ACCOUNT_URL='https://localhost:14000/acct/1'" >>"$home/ca.conf"
printf '%s' '${KEY}' >"$home/account.key"
fi`;

Deno.test("acmeShIssue keeps the account that acme.sh registers, also where no certificate comes of it", async () => {
  const env = { ACME_EAB_KID: "k", ACME_EAB_HMAC_KEY: "h" };
  await using acme = await openAcmeSh({ body: `${REGISTERS}\nexit 1`, env });
  await assert.rejects(acme.acmeShIssue(wanted, call), { code: "ACME" });
  const [name, ...others] = await acme.kept();
  assert.deepEqual(others, []);
  assert.match(name, /^account-[0-9a-f]{16}\.json$/);
  const file = join(acme.root, "data/acme/acme.sh", name);
  assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
  assert.deepEqual(JSON.parse(await Deno.readTextFile(file)), {
    directory: "https://dv.acme-v02.api.pki.goog/directory",
    url: "https://localhost:14000/acct/1",
    key: KEY,
  });
  // The next run has it, and needs no EAB. The hash is what acme.sh compares.
  await assert.rejects(acme.acmeShIssue(wanted, call), { code: "ACME" });
  const hash = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(KEY)),
  ).toBase64();
  assert.equal(
    await acme.home("ca.conf"),
    `ACCOUNT_URL='https://localhost:14000/acct/1'\nCA_KEY_HASH='${hash}'\n`,
  );
  assert.equal(await acme.home("account.key"), KEY);
});

Deno.test("acmeShIssue forgets an account that the CA does not know", async () => {
  const unknown =
    `[ -f "$home/account.key" ] && { echo 'acme:error:accountDoesNotExist' >&2; exit 1; }`;
  await using acme = await openAcmeSh({ body: `${unknown}\n${REGISTERS}\n${ISSUES}` });
  await acme.acmeShIssue(wanted, call);
  await assert.rejects(acme.acmeShIssue(wanted, call), { code: "ACME", hint: /Try again/ });
  await acme.acmeShIssue(wanted, call);
});

Deno.test("acmeShIssue: an account's file can't become shell code", async () => {
  await using acme = await openAcmeSh({ body: `${REGISTERS}\n${ISSUES}` });
  await acme.acmeShIssue(wanted, call);
  const [name] = await acme.kept();
  const file = join(acme.root, "data/acme/acme.sh", name);
  const account = JSON.parse(await Deno.readTextFile(file));
  for (
    const bad of [
      { url: "https://localhost/'; touch /tmp/pwned; '" },
      { url: "https://localhost/$(touch)" },
      { url: "https://localhost/a\nb" },
      { url: 7 },
      { key: "-----BEGIN PRIVATE KEY-----\n`touch`\n-----END PRIVATE KEY-----\n" },
      { directory: "https://elsewhere.test/" },
    ]
  ) {
    await Deno.writeTextFile(file, JSON.stringify({ ...account, ...bad }));
    await acme.acmeShIssue(wanted, call);
    // Registered anew.
    assert.deepEqual(JSON.parse(await Deno.readTextFile(file)), account);
  }
});
