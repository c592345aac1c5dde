/** What can go wrong with a certificate: a clear error, the old one still served, nothing left behind anywhere. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { acmeShBeside } from "../support/acme/acme_sh.ts";
import { type AcmeRig, startAcmeRig } from "../support/acme/rig.ts";
import { callFromShell } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { assertNoKey, openPki, type Pki, served } from "../support/pki.ts";
import { snapshotFiles } from "../support/tools.ts";
import { openSite, type Site } from "./site.ts";

const HOST = "example.test";

/**
 * HOST, with a certificate of the CA, and an agent that goes on renewing it. The account of `rig.env` is there as well,
 * but has not proved HOST: Pebble may take an old proof for an order at any time, and then no TXT record is made.
 */
async function openIssued(rig: AcmeRig): Promise<Site> {
  await using starting = new AsyncDisposableStack();
  // By another address the CA is another one to the agent, with an account of its own.
  const directory = rig.directory.replace("localhost", "127.0.0.1");
  assert.notEqual(directory, rig.directory);
  const site = starting.use(await openSite({ env: { ...rig.env, ACME_DIRECTORY: directory } }));
  const other = { domain: "other.test" };
  assert.equal((await callFromShell(site.haproxy, "issue_cert", other, { env: rig.env })).code, 0);
  await site.http.call("issue_cert", { domain: HOST });
  // The CA has said when it wants it renewed: certificates.json knows from now on.
  await site.http.call("renew_cert", { domain: HOST });
  const moved = starting.move();
  return { ...site, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

/** All that a failure must leave as it was. */
async function state({ haproxy }: Site) {
  return {
    files: await snapshotFiles(haproxy),
    acme: (await Array.fromAsync(Deno.readDir(join(haproxy.root, "data/acme"))))
      .map(({ name }) => name).sort(),
    journal: (await Array.fromAsync(Deno.readDir(join(haproxy.root, "data/journal"))))
      .map(({ name }) => name).sort(),
    certificates: await haproxy.runtime("show ssl cert"),
    crtList: await haproxy.runtime(`show ssl crt-list -n ${haproxy.root}/certs/crt-list.txt`),
    served: await served(haproxy.options.httpsPort, HOST),
  };
}

interface Fault {
  readonly what: string;
  readonly domain?: string;
  readonly env?: (rig: AcmeRig) => Record<string, string>;
  readonly prepare?: (rig: AcmeRig) => void;
  readonly code: string;
  readonly says: RegExp;
}

const RATE_LIMIT = {
  status: 429,
  headers: { "retry-after": "3600" },
  body: {
    type: "urn:ietf:params:acme:error:rateLimited",
    detail: "too many certificates already issued",
    status: 429,
  },
  match: "order",
};

const FAULTS: readonly Fault[] = [
  {
    what: "a CA that is down",
    env: () => ({ ACME_DIRECTORY: "https://localhost:1/dir" }),
    code: "ACME",
    says: /localhost:1 can't be reached/,
  },
  {
    what: "a CA that nobody trusts",
    env: () => ({ ACME_CA_FILE: "" }),
    code: "ACME",
    says: /certificate/i,
  },
  {
    what: "a token that Cloudflare refuses",
    env: () => ({ CF_Token: "no-such-token" }),
    code: "ACME",
    says: /CF_Token/,
  },
  { what: "no token", env: () => ({ CF_Token: "" }), code: "ACME", says: /no CF_Token/ },
  {
    what: "a zone that is not there",
    domain: "www.elsewhere.test",
    code: "ACME",
    says: /www\.elsewhere\.test, elsewhere\.test/,
  },
  {
    what: "a TXT record that never appears",
    prepare: (rig) => rig.cloudflare.dropDns(true),
    code: "ACME",
    says: /_acme-challenge\.example\.test did not show/,
  },
  {
    what: "a DNS provider that fails when the record is made",
    prepare: (rig) => rig.cloudflare.failNext({ status: 500, match: "POST /zones" }),
    code: "ACME",
    says: /Cloudflare/,
  },
  {
    what: "a CA that limits the rate",
    prepare: (rig) => rig.ca.failNext(RATE_LIMIT),
    code: "ACME",
    says: /too many certificates/,
  },
];

Deno.test("an order that fails: a clear error, the old certificate served, disk and HAProxy unchanged, no TXT record", async (t) => {
  await using rig = await startAcmeRig({ faults: true });
  await using site = await openIssued(rig);
  const before = await state(site);
  assert.deepEqual(before.served.length, 2);
  for (const { what, domain = HOST, env = () => ({}), prepare, code, says } of FAULTS) {
    await t.step(what, async () => {
      prepare?.(rig);
      const renewal = domain === HOST;
      const { code: exit, printed } = await callFromShell(
        site.haproxy,
        renewal ? "renew_cert" : "issue_cert",
        { domain, ...renewal && { force: true } },
        { env: { ...rig.env, ACME_DNS_WAIT: "1", ...env(rig) } },
      );
      const error = printed.error as { code: string; message: string; hint?: string };
      assert.equal(exit, 1);
      assert.equal(error.code, code, error.message);
      assert.match(error.message, says);
      assert.ok(error.hint, error.message);
      assert.deepEqual(await state(site), before);
      assert.deepEqual(rig.cloudflare.records(), []);
      rig.cloudflare.dropDns(false);
    });
  }
  const { structured } = await site.http.call("renew_cert", { domain: HOST, force: true });
  assert.equal(structured.renewed, true);
});

Deno.test("a CA that wants External Account Binding is said to, with where to get it", async () => {
  await using rig = await startAcmeRig({ eab: true });
  await using site = await openSite({
    env: { ...rig.env, ACME_EAB_KID: "", ACME_EAB_HMAC_KEY: "" },
  });
  const { code, message, hint = "" } = await site.http.refused("issue_cert", { domain: HOST });
  assert.equal(code, "ACME");
  assert.match(message, /External Account Binding/);
  assert.match(hint, /ACME_EAB_KID.*ACME_EAB_HMAC_KEY/);
  assert.deepEqual(rig.cloudflare.records(), []);
});

Deno.test("a caller that gives up in the middle of an order: no TXT record stays, and the next order works", async () => {
  await using rig = await startAcmeRig();
  await using site = await openSite({ env: { ...rig.env, ACME_DNS_WAIT: "60" } });
  rig.cloudflare.dropDns(true);
  const giveUp = new AbortController();
  const order = site.http.ask("issue_cert", { domain: HOST, wildcard: true }, giveUp.signal);
  order.catch(() => {});
  await eventually(() => rig.cloudflare.records().length === 2);
  giveUp.abort();
  await assert.rejects(order);
  await eventually(() => rig.cloudflare.records().length === 0);
  rig.cloudflare.dropDns(false);
  const { structured } = await site.http.call("issue_cert", { domain: HOST });
  assert.equal(structured.issued, true);
});

Deno.test("an agent that is told to stop in the middle of an order removes the TXT record first", async () => {
  await using rig = await startAcmeRig();
  await using site = await openSite({ env: { ...rig.env, ACME_DNS_WAIT: "60" } });
  rig.cloudflare.dropDns(true);
  site.http.call("issue_cert", { domain: HOST }).catch(() => {});
  await eventually(() => rig.cloudflare.records().length === 1);
  assert.equal(await site.agent.end("SIGTERM"), 0);
  assert.deepEqual(rig.cloudflare.records(), []);
});

Deno.test("acme.sh: a refused token and a missing zone are told apart, and what fails leaves nothing", async () => {
  await using rig = await startAcmeRig();
  await using acmeSh = await acmeShBeside(rig);
  const env = { ...rig.env, ACME_CLIENT: "acme.sh", ACME_SH: acmeSh.path, ACME_DNS_WAIT: "1" };
  await using site = await openSite({ env });
  const before = await snapshotFiles(site.haproxy);
  const refused = async (domain: string, more: Record<string, string> = {}) => {
    const { printed } = await callFromShell(site.haproxy, "issue_cert", { domain }, {
      env: { ...env, ...more },
    });
    return printed.error as { code: string; message: string };
  };
  assert.match((await refused(HOST, { CF_Token: "no-such-token" })).message, /CF_Token/);
  assert.match((await refused("elsewhere.test")).message, /elsewhere\.test/);
  assert.equal((await refused(HOST, { ACME_SH: "/nowhere/acme.sh" })).code, "UNSUPPORTED");
  rig.cloudflare.dropDns(true);
  const { code, message } = await refused(HOST);
  assert.equal(code, "ACME");
  assert.match(message, /TXT/);
  assert.deepEqual(rig.cloudflare.records(), []);
  assert.deepEqual(await snapshotFiles(site.haproxy), before);
});

const encrypted = async (pki: Pki, key: string) => {
  await pki.write("plain.key", key);
  return await pki.openssl("pkcs8", "-topk8", "-in", "plain.key", "-passout", "pass:secret");
};

const PEMS: readonly [string, (pki: Pki) => Promise<string>, RegExp][] = [
  ["a key of another", async (pki) => {
    const [{ certificate }, { key }] = [await pki.issue([HOST]), await pki.issue([HOST])];
    return key + certificate;
  }, /key/],
  ["an expired one", (pki) => pki.expired(HOST), /expired on 2025-02-01/],
  ["a truncated one", async (pki) => (await pki.issue([HOST])).pem.slice(0, -40), /no end/],
  ["garbage", () => Promise.resolve("\0\x01not a PEM\n"), /no certificate/],
  ["an encrypted key", async (pki) => {
    const { key, certificate } = await pki.issue([HOST]);
    return await encrypted(pki, key) + certificate;
  }, /encrypted/],
  ["another name", async (pki) => (await pki.issue(["other.test"])).pem, /other\.test/],
];

Deno.test("a PEM that can't be used is refused by load_cert; one with blank lines is served with its whole chain", async (t) => {
  await using pki = await openPki();
  await using site = await openSite();
  const { haproxy, http } = site;
  await Deno.mkdir(join(haproxy.root, "data/acme"), { recursive: true });
  const file = join(haproxy.root, `certs/${HOST}.pem`);
  const root = await pki.issue(["root.test"]);
  const middle = await pki.issue(["middle.test"], { by: root, ca: true });
  const good = await pki.issue([HOST], { by: middle });
  const blanks = good.pem.replaceAll("\n", "\n\n");
  await Deno.writeTextFile(file, blanks);
  await http.call("load_cert", { domain: HOST });
  const { served: chain } = await state(site);
  assert.deepEqual(chain, [good.fingerprint, middle.fingerprint, root.fingerprint]);
  assert.equal(await Deno.readTextFile(file), good.pem);
  for (const [what, make, says] of PEMS) {
    await t.step(what, async () => {
      const text = await make(pki);
      await Deno.writeTextFile(file, text);
      const before = await state(site);
      const error = await http.refused("load_cert", { domain: HOST });
      assert.equal(error.code, "CERTIFICATE");
      assert.match(error.message, says);
      assert.ok(error.message.includes(file) && error.hint, error.message);
      assertNoKey(JSON.stringify(error), text);
      assert.deepEqual(await state(site), before);
      assert.deepEqual(before.served, chain);
    });
  }
});
