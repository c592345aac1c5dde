import assert from "node:assert/strict";
import type { AgentError } from "../../lib/errors.ts";
import { selfSignedPem } from "../../lib/init/self_signed.ts";
import { chooseCrtList } from "../../lib/reconcile/running_certificates.ts";
import { commitCertificate, newCertificate, setCertificate } from "../../lib/runtime/commands.ts";
import { assertNoKey, type Issued, openPki, served } from "../support/pki.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { IN_ORDER, openSite, settled, state } from "./certificates_site.ts";

function noKeys(problems: readonly AgentError[], ...issued: readonly Issued[]): void {
  for (const error of problems) {
    const cause = error.cause instanceof Error ? error.cause.stack : "";
    const text = JSON.stringify(error.toData()) + error.stack + cause + Deno.inspect(error);
    assertNoKey(text, ...issued.map(({ key }) => key));
  }
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: what HAProxy refuses is a problem with its file, and the certificates beside it are served`, async () => {
    await using site = await openSite({ version });
    await using pki = await openPki();
    const issued = await Promise.all(
      ["a.test", "b.test", "c.test", "d.test"].map((name) => pki.issue([name])),
    );
    const [a, b, c, d] = issued;
    await site.write("a.test.pem", a.pem);
    await site.write("b.test.pem", b.pem);
    await site.addLines(...["x", "a", "y", "b", "z", "c"].map((n) => site.file(`${n}.test.pem`)));
    await site.heal();
    await site.write("a.test.pem", d.key + a.certificate);
    await site.write("b.test.pem", d.key + c.certificate);
    await site.write("c.test.pem", c.pem);
    await site.write("x.test.pem", a.key + d.certificate);
    await site.write("y.test.pem", "garbage\n");
    await site.write("z.test.pem", d.certificate);
    const { changed, problems } = await site.heal();
    assert.deepEqual(changed, ["c.test.pem"]);
    assert.deepEqual(
      problems.map(({ code, message }) => [code, /([a-z])\.test\.pem/.exec(message)?.[1]]).sort(),
      // a.test.pem has the certificate that HAProxy serves: its key is none of its business until it is sent.
      [["CERTIFICATE", "b"], ["CERTIFICATE", "x"], ["CERTIFICATE", "y"], ["CERTIFICATE", "z"]],
    );
    assert.match(
      problems.find(({ message }) => message.includes("b.test"))!.message,
      /inconsistencies between private key and certificate/,
    );
    noKeys(problems, ...issued);
    assert.deepEqual(await served(site.httpsPort, "a.test"), [a.fingerprint]);
    assert.deepEqual(await served(site.httpsPort, "b.test"), [b.fingerprint]);
    assert.deepEqual(await served(site.httpsPort, "c.test"), [c.fingerprint]);
    const { names, transaction } = await state(site);
    assert.equal(transaction, undefined);
    assert.deepEqual([...names].filter((name) => /[xyz]\.test/.test(name)), []);
    // Nothing piles up when it is tried again.
    const again = await site.heal();
    assert.deepEqual([again.changed, again.problems.length], [[], 4]);
    assert.equal((await state(site)).entries.length, 4);
  });

  Deno.test(`${version}: a line that HAProxy refuses is a problem, and what was loaded for it is taken out again`, async () => {
    await using site = await openSite({ version });
    await site.write("a.test.pem", await selfSignedPem());
    await site.write("b.test.pem", await selfSignedPem());
    await site.addLines(
      `${site.file("a.test.pem")} [no-such-option] a.test`,
      `${site.file("b.test.pem")} b.test`,
    );
    const { changed, problems } = await site.heal();
    assert.deepEqual(changed, ["b.test.pem"]);
    assert.deepEqual(problems.map(({ code }) => code), ["HAPROXY_REJECTED"]);
    assert.match(problems[0].message, /no-such-option/);
    assert.ok(!(await state(site)).names.has(site.file("a.test.pem")));
  });

  Deno.test(`${version}: of two lines the one that HAProxy takes is there once, beside the one that it refuses`, async () => {
    await using site = await openSite({ version });
    await site.write("a.test.pem", await selfSignedPem());
    const file = site.file("a.test.pem");
    await site.addLines(`${file} a.test`, `${file} [no-such-option] b.test`);
    const { problems } = await site.heal();
    assert.deepEqual(problems.map(({ code }) => code), ["HAPROXY_REJECTED"]);
    const { entries } = await state(site);
    assert.deepEqual(
      entries.filter(({ path }) => path === file).map(({ filters }) => filters),
      [["a.test"]],
    );
  });

  Deno.test(`${version}: somebody's open transaction is a problem that names it, and stays as it is`, async () => {
    await using site = await openSite({ version });
    await using pki = await openPki();
    const [a, b] = [await pki.issue(["a.test"]), await pki.issue(["b.test"])];
    const theirs = site.file("theirs.pem");
    await site.send(newCertificate(theirs), setCertificate(theirs, b.pem));
    await settled(site);
    await site.write("a.test.pem", a.pem);
    await site.addLines(site.file("a.test.pem"));
    site.changesSent();
    for (const { problems } of [await site.drift(), await site.heal()]) {
      assert.deepEqual(problems.map(({ code }) => code), ["CONFLICT"]);
      assert.ok(problems[0].message.includes(theirs), problems[0].message);
      assert.deepEqual(problems[0].details?.certificates, ["a.test.pem"]);
      noKeys(problems, a, b);
    }
    assert.deepEqual(site.changesSent(), []);
    assert.equal((await site.drift()).differences.length, 1);
    assert.equal((await state(site)).transaction, theirs);
    await site.send(commitCertificate(theirs));
    assert.deepEqual(await site.heal(), { changed: ["a.test.pem"], problems: [] });
  });

  Deno.test(`${version}: a PEM up to HAProxy's limit is served; a larger one is a clear problem, and nothing is lost`, async () => {
    await using site = await openSite({ version });
    await using pki = await openPki();
    const ca = await pki.issue(["ca.test"], { key: "rsa:4096" });
    const b = await pki.issue(["b.test"]);
    await site.write("b.test.pem", b.pem);
    await site.addLines(site.file("a.test.pem"), site.file("b.test.pem"));
    const leaf = await pki.issue(["a.test"], { by: ca, key: "rsa:4096" });
    const copies = (count: number) => leaf.pem + ca.certificate.repeat(count);
    const most = Math.floor((16_200 - leaf.pem.length) / ca.certificate.length);
    await site.write("a.test.pem", copies(most + 1));
    const { changed, problems } = await site.heal();
    assert.deepEqual(changed, ["b.test.pem"]);
    assert.deepEqual(problems.map(({ code }) => code), ["CERTIFICATE"]);
    assert.match(problems[0].message, /a\.test\.pem has \d+ bytes, too many .*16383/);
    noKeys(problems, leaf, ca, b);
    assert.deepEqual(await served(site.httpsPort, "b.test"), [b.fingerprint]);
    await site.write("a.test.pem", copies(most));
    assert.deepEqual(await site.heal(), { changed: ["a.test.pem"], problems: [] });
    assert.equal((await served(site.httpsPort, "a.test")).length, most + 2);
  });
}

Deno.test("a HAProxy without the crt-list is a problem, and nothing is sent to it", async () => {
  await using site = await openSite({
    edit: (config) =>
      config.replaceAll("ssl crt-list", "ssl crt").replaceAll("crt-list.txt", "default.pem"),
  });
  const { changed, problems } = await site.heal();
  assert.deepEqual([changed, problems.map(({ code }) => code)], [[], ["HAPROXY_REJECTED"]]);
  assert.match(problems[0].message, /uses no crt-list crt-list\.txt; it has none/);
  assert.deepEqual(site.changesSent(), []);
  await Deno.remove(site.list);
  assert.deepEqual(await site.heal(), IN_ORDER);
});

Deno.test("chooseCrtList goes by the file's name, and refuses two by one name with their list", () => {
  const file = "/srv/haproxy/certs/crt-list.txt";
  assert.equal(chooseCrtList(["/etc/certs/", "/c/crt-list.txt"], file), "/c/crt-list.txt");
  assert.throws(() => chooseCrtList(["/c/other.txt"], file), { code: "HAPROXY_REJECTED" });
  assert.throws(() => chooseCrtList(["/c/crt-list.txt", "/c/./crt-list.txt"], file), {
    code: "CONFLICT",
    message: /2 crt-lists by this name: \/c\/crt-list\.txt, \/c\/\.\/crt-list\.txt/,
  });
});

Deno.test("a PEM that is gone, or another one, by the time it is sent is a problem or is sent as it is", async () => {
  await using site = await openSite();
  await using pki = await openPki();
  const [a, b, c] = [
    await pki.issue(["a.test"]),
    await pki.issue(["b.test"]),
    await pki.issue(["c.test"]),
  ];
  for (const [name, { pem }] of Object.entries({ a, b, c })) {
    await site.write(`${name}.test.pem`, pem);
  }
  await site.setDomains("a.test", "b.test", "c.test");
  const { pem } = site.certificates;
  const renewed = await pki.issue(["b.test"]);
  Object.assign(site.certificates, {
    async pem(file: string) {
      if (file.endsWith("a.test.pem")) await Deno.remove(file);
      if (file.endsWith("b.test.pem")) await Deno.writeTextFile(file, renewed.pem);
      return await pem(file);
    },
  });
  const { changed, problems } = await site.heal();
  assert.deepEqual(changed, ["b.test.pem", "c.test.pem"]);
  assert.deepEqual(problems.map(({ code }) => code), ["CERTIFICATE"]);
  assert.deepEqual(await served(site.httpsPort, "b.test"), [renewed.fingerprint]);
});
