import assert from "node:assert/strict";
import { join } from "node:path";
import { selfSignedPem } from "../../lib/init/self_signed.ts";
import { certificateFiles } from "../../lib/state/certificates.ts";
import { assertNoKey, openPki } from "../support/pki.ts";
import { type TestRoot, testRoot } from "./root.ts";

const LIST = "certs/crt-list.txt";
const JSON_FILE = "conf/certificates.json";

/** A root with certs/, and how often each file was read. */
async function certsRoot(settings: Readonly<Record<string, string>> = {}) {
  const root = await testRoot(settings);
  await Deno.mkdir(join(root.root, "certs"));
  const reads = new Map<string, number>();
  const files: TestRoot["files"] = {
    ...root.files,
    read(path, atMost) {
      reads.set(path, (reads.get(path) ?? 0) + 1);
      return root.files.read(path, atMost);
    },
  };
  return { ...root, reads, certificates: certificateFiles(files, root.paths) };
}

const pem = (root: TestRoot, name: string) => join(root.root, "certs", name);

Deno.test("nothing on disk, not even a folder, is nothing to serve", async () => {
  await using root = await certsRoot();
  assert.deepEqual(await root.certificates.read(), {
    certificates: [],
    problems: [],
    missing: [],
  });
  await Deno.remove(join(root.root, "certs"));
  assert.deepEqual(await root.certificates.read(), {
    certificates: [],
    problems: [],
    missing: [],
  });
});

Deno.test("the crt-list's lines come first, in their order, then the domains that have a PEM and no line", async () => {
  await using root = await certsRoot();
  await using pki = await openPki();
  const ca = await pki.issue(["ca.test"]);
  const issued: Record<string, Awaited<ReturnType<typeof pki.issue>>> = {};
  for (const name of ["default", "a.test", "b.test", "c.test"]) {
    issued[name] = await pki.issue([name], { by: ca });
    await root.write(`certs/${name}.pem`, issued[name].pem.replaceAll("\n", "\r\n\r\n"));
  }
  // As HAProxy spells them, inside a container.
  await root.write(
    LIST,
    "/etc/haproxy/certs/default.pem\n/etc/haproxy/certs/b.test.pem [ssl-min-ver TLSv1.3] b.test\n" +
      "/etc/haproxy/certs/b.test.pem *.b.test\n",
  );
  await root.write(JSON_FILE, '{"domains": ["c.test", "b.test", "none.test", "a.test"]}');
  const { certificates, problems, missing } = await root.certificates.read();
  assert.deepEqual(problems, []);
  assert.deepEqual(missing.map(({ message }) => message), [
    `${root.paths.certificates} wants ${pem(root, "none.test.pem")}, which is missing.`,
  ]);
  assert.deepEqual(
    certificates.map(({ lines, serial: _, ...rest }) => ({
      ...rest,
      lines: lines.map(({ options, filters }) => [options, filters]),
    })),
    [
      ["default", "/etc/haproxy/certs/default.pem", [[[], []]]],
      [
        "b.test",
        "/etc/haproxy/certs/b.test.pem",
        [[["ssl-min-ver", "TLSv1.3"], ["b.test"]], [[], ["*.b.test"]]],
      ],
      ["c.test", undefined, []],
      ["a.test", undefined, []],
    ].map(([name, path, lines]) => ({
      subject: `${name}.pem`,
      file: pem(root, `${name}.pem`),
      fingerprint: issued[name as string].fingerprint,
      chain: 1,
      size: issued[name as string].pem.length,
      folders: ["/etc/haproxy/certs"],
      lines,
      ...(path && { path }),
    })),
  );
  assert.equal((await root.certificates.pem(certificates[0].file)).text, issued.default.pem);
});

Deno.test("what can't be used is a problem each, and the others are as they are", async () => {
  await using root = await certsRoot();
  const good = await selfSignedPem();
  const [key, certificate] = good.split(/(?<=-----END PRIVATE KEY-----\n)/);
  const names = ["good", "missing", "garbage", "keyless", "keyonly", "folder", "link", "large"];
  await root.write(LIST, names.map((name) => `/c/${name}.pem\n`).join(""));
  await root.write("certs/good.pem", good);
  await root.write("certs/garbage.pem", "garbage\n");
  await root.write("certs/keyless.pem", certificate);
  await root.write("certs/keyonly.pem", key);
  await Deno.mkdir(pem(root, "folder.pem"));
  await Deno.symlink(pem(root, "good.pem"), pem(root, "link.pem"));
  await root.write("certs/large.pem", good + "#".repeat(1024 * 1024));
  const { certificates, problems } = await root.certificates.read();
  assert.deepEqual(certificates.map(({ subject }) => subject), ["good.pem"]);
  assert.deepEqual(
    problems.map(({ code, message }) => [code, /[a-z]+(?=\.pem)/.exec(message)?.[0]]),
    [
      ["CERTIFICATE", "missing"],
      ["CERTIFICATE", "garbage"],
      ["CERTIFICATE", "keyless"],
      ["CERTIFICATE", "keyonly"],
      ["STATE_IO", "folder"],
      ["STATE_IO", "link"],
      ["STATE_IO", "large"],
    ],
  );
  for (const problem of problems) {
    assertNoKey(`${JSON.stringify(problem.toData())}${problem.stack}`, key);
  }
});

Deno.test("a PEM that could be either of two paths is a problem, and neither is served from it", async () => {
  await using root = await certsRoot();
  await root.write(LIST, "/c/one/full.pem\n/c/two/full.pem\n/c/a.pem\n/c/a.pem *.a.test\n");
  for (const name of ["full", "a"]) await root.write(`certs/${name}.pem`, await selfSignedPem());
  const { certificates, problems } = await root.certificates.read();
  assert.deepEqual(certificates.map(({ subject }) => subject), ["a.pem"]);
  assert.equal(problems.length, 1);
  assert.equal(problems[0].code, "CERTIFICATE");
  assert.match(problems[0].message, /lines 1, 2: .*full\.pem/);
});

Deno.test("a broken crt-list is STATE_CORRUPT, and nothing is served without it", async () => {
  await using root = await certsRoot();
  await root.write(LIST, "/c/a.pem\n/c/b.pem [\n");
  await root.write("certs/a.pem", await selfSignedPem());
  const { certificates, problems } = await root.certificates.read();
  assert.deepEqual([certificates, problems.map(({ code }) => code)], [[], ["STATE_CORRUPT"]]);
});

Deno.test("a broken certificates.json is STATE_CORRUPT, and the crt-list's certificates are served all the same", async () => {
  await using root = await certsRoot();
  await root.write(LIST, "/c/a.pem\n");
  await root.write("certs/a.pem", await selfSignedPem());
  await root.write(JSON_FILE, "{");
  const { certificates, problems } = await root.certificates.read();
  assert.deepEqual(certificates.map(({ subject }) => subject), ["a.pem"]);
  assert.deepEqual(problems.map(({ code }) => code), ["STATE_CORRUPT"]);
});

Deno.test("a PEM is read again only when it was written again, and broken ones each time", async () => {
  await using root = await certsRoot();
  const names = Array.from({ length: 100 }, (_, i) => `d${i}.test`);
  for (const name of names) await root.write(`certs/${name}.pem`, await selfSignedPem());
  await root.write("certs/bad.pem", "bad");
  await root.write(JSON_FILE, JSON.stringify({ domains: names }));
  await root.write(LIST, "/c/bad.pem\n");
  const first = await root.certificates.read();
  assert.equal(first.certificates.length, 100);
  assert.deepEqual(await root.certificates.read(), first);
  const file = pem(root, "d7.test.pem");
  await root.files.replace(file, await selfSignedPem());
  const third = await root.certificates.read();
  assert.notEqual(third.certificates[7].fingerprint, first.certificates[7].fingerprint);
  const readTwice = [...root.reads].filter(([, count]) => count > 1).map(([path]) => path);
  assert.deepEqual(
    readTwice.sort(),
    [pem(root, "bad.pem"), pem(root, "crt-list.txt"), join(root.root, JSON_FILE), file].sort(),
  );
  await Deno.remove(file);
  assert.equal((await root.certificates.read()).certificates.length, 99);
});

Deno.test("nothing of a key stays in what was read", async () => {
  await using root = await certsRoot();
  const text = await selfSignedPem();
  await root.write(LIST, "/c/a.pem\n");
  await root.write("certs/a.pem", text);
  assertNoKey(JSON.stringify(await root.certificates.read()), text);
});
