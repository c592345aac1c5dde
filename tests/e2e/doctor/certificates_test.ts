/** What doctor finds wrong with certificates, the CA and the DNS provider. */
import assert from "node:assert/strict";
import { startAcmeRig } from "../../support/acme/rig.ts";
import {
  found,
  rewrite,
  runDoctor,
  shown,
  testBreakages,
  under,
  wrong,
} from "../../support/doctor.ts";
import { type Haproxy, startHaproxy } from "../../support/haproxy.ts";
import { openPki } from "../../support/pki.ts";

/** Puts a PEM where HAProxy serves it from its next reload on. */
async function serve(haproxy: Haproxy, name: string, pem: string): Promise<void> {
  const file = under(haproxy, `certs/${name}.pem`);
  await Deno.writeTextFile(file, pem, { mode: 0o600 });
  await rewrite(under(haproxy, "certs/crt-list.txt"), (list) => `${list}${file} ${name}\n`);
}

testBreakages([
  {
    what: "a certificate has expired",
    do: async (haproxy) => {
      await using pki = await openPki();
      await serve(haproxy, "old.test", await pki.expired("old.test"));
      await haproxy.reload();
    },
    wrong: ["expiry: fault"],
    message: /old\.test has expired on 2025-02-01/,
    remedy:
      /Put a new one into \S+old\.test\.pem, then haproxy-mcp call haproxy_load_cert --domain old\.test/,
  },
  {
    what: "the crt-list names a file that is missing",
    do: async (haproxy) => {
      await rewrite(
        under(haproxy, "certs/crt-list.txt"),
        (list) => `${list}${under(haproxy, "certs/gone.test.pem")}\n`,
      );
    },
    about: "certificate-files",
    wrong: ["haproxy-cfg: fault", "certificate-files: fault"],
    message: /gone\.test\.pem is missing/,
    remedy: /Put the PEM there/,
  },
  {
    what: "a key is another certificate's",
    do: async (haproxy) => {
      await using pki = await openPki();
      const [one, other] = [await pki.issue(["a.test"]), await pki.issue(["a.test"])];
      await serve(haproxy, "a.test", one.pem);
      await haproxy.reload();
      await Deno.writeTextFile(under(haproxy, "certs/a.test.pem"), other.key + one.certificate);
    },
    about: "certificate-files",
    wrong: ["haproxy-cfg: fault", "certificate-files: fault"],
    message: /a\.test\.pem can't be used: .*key/,
    remedy: /haproxy_load_cert --domain a\.test/,
  },
  {
    what: "others may read a private key",
    do: (haproxy) => Deno.chmod(under(haproxy, "certs/default.pem"), 0o644),
    wrong: ["private-keys: fault"],
    message: /every user of this machine may read the private key in \S+default\.pem/,
    remedy: /chmod 600 \S+default\.pem/,
  },
  {
    what: "the CA can't be reached",
    env: () => ({
      CF_Token: "x",
      ACME_DIRECTORY: "https://127.0.0.1:1/dir",
      CF_API_URL: "https://127.0.0.1:1",
    }),
    wrong: ["acme-ca: fault", "dns-token: fault"],
    message: /The CA 127\.0\.0\.1:1 can't be reached/,
    remedy: /Look whether this machine reaches it/,
  },
  {
    what: "others may read a secret's file",
    do: (haproxy) => Deno.writeTextFile(under(haproxy, "conf/token"), "x\n", { mode: 0o644 }),
    env: ({ root }) => ({ CF_Token_FILE: `${root}/conf/token` }),
    wrong: ["acme-ca: fault"],
    message: /CF_Token_FILE=\S+ can't be used: others than its owner may read it/,
    remedy: /Correct that setting/,
  },
  {
    what: "acme.sh is to order, and is not there",
    env: () => ({ CF_Token: "x", ACME_CLIENT: "acme.sh", ACME_SH: "/nowhere/acme.sh" }),
    wrong: ["acme-ca: fault"],
    message: /ACME_SH=\/nowhere\/acme\.sh is no executable file/,
    remedy: /ACME_CLIENT=builtin/,
  },
]);

Deno.test("doctor asks the CA and the DNS provider, orders nothing, and names what they miss", async () => {
  await using rig = await startAcmeRig({ eab: true });
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const right = await runDoctor(haproxy, { env: rig.env });
  assert.deepEqual(wrong(right), [], shown(right));
  assert.match(found(right, "acme-ca").message, /the CA localhost:\d+ answers/);
  assert.equal(found(right, "dns-token").message, "Cloudflare takes CF_Token");

  const { ACME_EAB_KID: _kid, ACME_EAB_HMAC_KEY: _key, ...unbound } = rig.env;
  const lacking = await runDoctor(haproxy, { env: { ...unbound, CF_Token: "not-this-one" } });
  assert.deepEqual(wrong(lacking), ["acme-ca: fault", "dns-token: fault"], shown(lacking));
  assert.match(found(lacking, "acme-ca").message, /wants External Account Binding/);
  assert.match(found(lacking, "acme-ca").remedy!, /Set ACME_EAB_KID and ACME_EAB_HMAC_KEY/);
  assert.match(found(lacking, "dns-token").message, /Cloudflare did not take CF_Token/);
  assert.match(found(lacking, "dns-token").remedy!, /Zone:Read and DNS:Edit/);
  assert.ok(!JSON.stringify(lacking).includes("not-this-one"));

  // One that is renewed here, in a zone that the token does not see, and whose last renewal failed.
  await using pki = await openPki();
  await serve(haproxy, "elsewhere.invalid.test", (await pki.issue(["elsewhere.invalid.test"])).pem);
  await haproxy.reload();
  const last = { at: "2026-01-01T00:00:00Z", code: "ACME", message: "No zone." };
  const record = { client: "builtin", names: ["elsewhere.invalid.test"], last };
  await Deno.writeTextFile(
    under(haproxy, "conf/certificates.json"),
    JSON.stringify({
      domains: ["elsewhere.invalid.test"],
      certificates: { "elsewhere.invalid.test": record },
    }),
  );
  const astray = await runDoctor(haproxy, { env: rig.env });
  assert.deepEqual(wrong(astray), ["renewals: warning", "dns-token: fault"], shown(astray));
  assert.match(
    found(astray, "renewals").message,
    /could not be renewed at 2026-01-01T00:00:00Z: No zone/,
  );
  assert.match(
    found(astray, "dns-token").message,
    /No zone at Cloudflare .* holds elsewhere\.invalid\.test/,
  );
  const { MCP_AUTO_RENEW: _, ...env } = { ...rig.env, MCP_AUTO_RENEW: "" };
  const unattended = await runDoctor(haproxy, { env: { ...env, MCP_AUTO_RENEW: "false" } });
  assert.match(found(unattended, "renewals").message, /MCP_AUTO_RENEW=false: nobody renews/);

  assert.deepEqual(rig.cloudflare.records(), []);
  assert.ok(rig.cloudflare.log().every(({ method }) => method === "GET"));
  assert.ok(!/\bnewOrder|POST \/order/i.test(await rig.logs()), await rig.logs());
});
