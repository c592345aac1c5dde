import assert from "node:assert/strict";
import { selfSignedPem } from "../../lib/init/self_signed.ts";
import {
  commitCertificate,
  delCertificate,
  delFromCrtList,
  newCertificate,
  setCertificate,
} from "../../lib/runtime/commands.ts";
import { openPki, served } from "../support/pki.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { openSite, settled, state } from "./certificates_site.ts";

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: nothing is sent when nothing differs`, async () => {
    await using site = await openSite({ version });
    await settled(site);
  });

  Deno.test(`${version}: certificates that are absent, others, or in no crt-list are served after healing`, async () => {
    await using site = await openSite({ version });
    await using pki = await openPki();
    const ca = await pki.issue(["ca.test"]);
    const issue = (name: string) => pki.issue([name, `*.${name}`], { by: ca });
    const [a, b, c, d, old] = await Promise.all(
      ["a.test", "b.test", "c.test", "d.test", "b.test"].map(issue),
    );
    for (
      const [name, { pem }] of Object.entries({
        "a.test": a,
        "b.test": b,
        "c.test": c,
        "d.test": d,
      })
    ) {
      await site.write(`${name}.pem`, pem);
    }
    await site.addLines(
      `${site.file("a.test.pem")} [ssl-min-ver TLSv1.2] a.test *.a.test !no.a.test`,
      site.file("b.test.pem"),
      site.file("c.test.pem"),
    );
    await site.setDomains("a.test", "d.test", "none.test");
    // b.test is another one, c.test is loaded and in no list, a.test and d.test are absent.
    for (const [name, { pem }] of [["b.test.pem", old], ["c.test.pem", c]] as const) {
      const file = site.file(name);
      await site.send(newCertificate(file), setCertificate(file, pem), commitCertificate(file));
    }
    const [fallback] = await served(site.httpsPort, "a.test");

    const drift = await site.drift();
    assert.deepEqual(site.changesSent(), []);
    const subjects = ["a.test.pem", "b.test.pem", "c.test.pem", "d.test.pem"];
    assert.deepEqual(
      drift.differences,
      subjects.map((name) => ({ kind: "certificate", name })),
    );
    const path = (name: string) => site.file(`${name}.test.pem`);
    assert.deepEqual(drift.commands, [
      `new ssl cert ${path("a")}`,
      `set ssl cert ${path("a")} <<%END%`,
      `commit ssl cert ${path("a")}`,
      `add ssl crt-list ${site.list} <<%END%`,
      `set ssl cert ${path("b")} <<%END%`,
      `commit ssl cert ${path("b")}`,
      `add ssl crt-list ${site.list} ${path("b")}`,
      `add ssl crt-list ${site.list} ${path("c")}`,
      `new ssl cert ${path("d")}`,
      `set ssl cert ${path("d")} <<%END%`,
      `commit ssl cert ${path("d")}`,
      `add ssl crt-list ${site.list} ${path("d")}`,
    ]);

    assert.deepEqual(await site.heal(), { changed: subjects, problems: [] });
    for (const [name, { fingerprint }] of Object.entries({ a, b, c, d })) {
      const chain = [fingerprint, ca.fingerprint];
      assert.deepEqual(await served(site.httpsPort, `${name}.test`), chain, name);
      assert.deepEqual(await served(site.httpsPort, `x.${name}.test`), chain, `x.${name}`);
    }
    assert.deepEqual(await served(site.httpsPort, "no.a.test"), [fallback]);
    await settled(site);
    // HAProxy reads the crt-list itself: what no line names is lost.
    await site.haproxy.reload();
    assert.deepEqual(await site.heal(), { changed: ["d.test.pem"], problems: [] });
  });

  Deno.test(`${version}: a certificate that somebody replaced, cut or took out is served again, the default one too`, async () => {
    await using site = await openSite({ version });
    await using pki = await openPki();
    const ca = await pki.issue(["ca.test"]);
    const [a, b] = [await pki.issue(["a.test"], { by: ca }), await pki.issue(["b.test"])];
    const [good, other] = [site.file("a.test.pem"), site.file("default.pem")];
    await site.write("a.test.pem", a.pem);
    await site.addLines(`${good} a.test`);
    await site.heal();
    const [fallback] = await served(site.httpsPort, "unknown.test");
    // Replaced, and the chain lost (a blank line before it does that).
    for (const [name, pem] of [[good, b.pem], [good, a.key + a.certificate], [other, b.pem]]) {
      await site.send(setCertificate(name, pem), commitCertificate(name));
      assert.deepEqual((await site.heal()).problems, []);
      assert.deepEqual(await served(site.httpsPort, "a.test"), [a.fingerprint, ca.fingerprint]);
      assert.deepEqual(await served(site.httpsPort, "unknown.test"), [fallback]);
    }
    await site.send(delFromCrtList(site.list, good));
    assert.deepEqual(await served(site.httpsPort, "a.test"), [fallback]);
    assert.deepEqual((await site.heal()).changed, ["a.test.pem"]);
    await site.send(delFromCrtList(site.list, good), delCertificate(good));
    assert.deepEqual((await site.heal()).changed, ["a.test.pem"]);
    assert.deepEqual(await served(site.httpsPort, "a.test"), [a.fingerprint, ca.fingerprint]);
    await settled(site);
  });

  Deno.test(`${version}: files that a person changed by hand are served: CRLF, blank lines, text, certificate first`, async () => {
    await using site = await openSite({ version });
    await using pki = await openPki();
    const ca = await pki.issue(["ca.test"]);
    const a = await pki.issue(["a.test"], { by: ca });
    const forms = [
      a.pem.replaceAll("\n", "\r\n"),
      a.pem.replaceAll("-----\n", "-----\n\n"),
      `key of a.test\n${a.pem.replaceAll("-----BEGIN", "\nsubject=CN = x\n\n-----BEGIN")}\n\n`,
      a.certificate + ca.certificate + a.key,
    ];
    await site.addLines(site.file("a.test.pem"));
    for (const form of forms) {
      await site.write("a.test.pem", form);
      await site.heal();
      assert.deepEqual(await served(site.httpsPort, "a.test"), [a.fingerprint, ca.fingerprint]);
      await settled(site);
      // The same file read by HAProxy itself is the same certificate.
      await site.send(
        delFromCrtList(site.list, site.file("a.test.pem")),
        delCertificate(site.file("a.test.pem")),
      );
    }
    await site.haproxy.reload();
    await settled(site);
  });

  Deno.test(`${version}: what the agent left half-way when it was killed is carried out`, async () => {
    await using site = await openSite({ version });
    await using pki = await openPki();
    const [a, b] = [await pki.issue(["a.test"]), await pki.issue(["b.test"])];
    for (const [name, { pem }] of Object.entries({ a, b })) {
      await site.write(`${name}.test.pem`, pem);
    }
    await site.addLines(site.file("a.test.pem"), site.file("b.test.pem"));
    const name = site.file("b.test.pem");
    for (const done of [[], [setCertificate(name, b.pem)]]) {
      await site.send(newCertificate(name), ...done);
      assert.deepEqual((await site.heal()).problems, []);
      assert.deepEqual(await served(site.httpsPort, "a.test"), [a.fingerprint]);
      assert.deepEqual(await served(site.httpsPort, "b.test"), [b.fingerprint]);
      await settled(site);
      await site.send(delFromCrtList(site.list, name), delCertificate(name));
    }
  });

  Deno.test(`${version}: what was deleted while HAProxy read it at its start is taken out, and nothing else is`, async () => {
    await using site = await openSite({ version });
    await using pki = await openPki();
    await Deno.mkdir(`${site.haproxy.root}/elsewhere`);
    const elsewhere = `${site.haproxy.root}/elsewhere/c.test.pem`;
    for (const name of ["a.test", "b.test"]) {
      const { pem } = await pki.issue([name]);
      await site.write(`${name}.pem`, pem);
      await site.addLines(`${site.file(`${name}.pem`)} ${name}`);
    }
    await Deno.writeTextFile(elsewhere, (await pki.issue(["c.test"])).pem);
    const list = await Deno.readTextFile(site.list);
    await site.addLines(elsewhere);
    await site.haproxy.reload();
    // As if a.test was deleted in that moment. A person took the other two out of the list.
    await Deno.remove(site.file("a.test.pem"));
    await Deno.writeTextFile(site.list, `${list.split("\n")[0]}\n`);

    // In a process that has been there for a while somebody may have put it by hand.
    await settled(site);
    const healed = await site.heal({ justStarted: true });
    assert.deepEqual(healed, { changed: ["a.test.pem"], problems: [] });
    const { names } = await state(site);
    assert.deepEqual(
      [
        names.has(site.file("a.test.pem")),
        names.has(site.file("b.test.pem")),
        names.has(elsewhere),
      ],
      [false, true, true],
    );
    await settled(site);
  });

  Deno.test(`${version}: 200 lost certificates are back in time, and a look at them sends nothing`, async () => {
    await using site = await openSite({ version });
    const domains = Array.from({ length: 200 }, (_, i) => `d${i}.test`);
    for (const domain of domains) await site.write(`${domain}.pem`, await selfSignedPem());
    await site.setDomains(...domains);
    const start = performance.now();
    const { changed, problems } = await site.heal();
    const took = performance.now() - start;
    assert.deepEqual([changed.length, problems], [200, []]);
    assert.ok(took < 2_000, `${took} ms`);
    await settled(site);
  });
}

Deno.test("certificates keep HAProxy's spelling of their paths where it is another than the host's", async () => {
  // As in a container: HAProxy reads the same files by another way.
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  const alias = `${folder}/seen-by-haproxy`;
  await Deno.mkdir(`${folder}/root/certs`, { recursive: true });
  await Deno.symlink(`${folder}/root/certs`, alias);
  try {
    await using site = await openSite({
      root: `${folder}/root`,
      edit: (config) => config.replaceAll(`${folder}/root/certs`, alias),
    });
    await using pki = await openPki();
    const [a, b] = [await pki.issue(["a.test"]), await pki.issue(["b.test"])];
    await site.write("a.test.pem", a.pem);
    await site.write("b.test.pem", b.pem);
    await site.addLines(`${alias}/a.test.pem a.test`);
    await site.setDomains("b.test");
    assert.deepEqual(await site.heal(), { changed: ["a.test.pem", "b.test.pem"], problems: [] });
    const list = `${alias}/crt-list.txt`;
    const { names } = await state({ ...site, list });
    assert.ok(
      names.has(`${alias}/a.test.pem`) && names.has(`${alias}/b.test.pem`),
      [...names].join(),
    );
    assert.deepEqual(await served(site.httpsPort, "a.test"), [a.fingerprint]);
    assert.deepEqual(await served(site.httpsPort, "b.test"), [b.fingerprint]);
    await settled({ ...site, list });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("relative lines of the crt-list are found under crt-base", async () => {
  await using site = await openSite({
    edit: (config) => {
      const root = /server-state-file (.*)\/conf\//.exec(config)![1];
      return config.replace("global\n", `global\n    crt-base ${root}/certs\n`);
    },
  });
  await using pki = await openPki();
  const [a, other] = [await pki.issue(["a.test"]), await pki.issue(["a.test"])];
  await site.write("a.test.pem", a.pem);
  await site.addLines("a.test.pem a.test");
  await site.haproxy.reload();
  await settled(site);
  const name = site.file("a.test.pem");
  await site.send(setCertificate(name, other.pem), commitCertificate(name));
  assert.deepEqual((await site.heal()).changed, ["a.test.pem"]);
  assert.deepEqual(await served(site.httpsPort, "a.test"), [a.fingerprint]);
  await settled(site);
});
