import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { paths } from "../../lib/init/options.ts";
import { selfSignedPem } from "../../lib/init/self_signed.ts";
import {
  abortCertificate,
  addToCrtList,
  commitCertificate,
  delCertificate,
  delFromCrtList,
  newCertificate,
  setCertificate,
  showCertificate,
  showCertificates,
  showCrtList,
  showCrtLists,
  showPendingCertificate,
} from "../../lib/runtime/commands.ts";
import { type RuntimeClient, runtimeClient } from "../../lib/runtime/connection.ts";
import { type Command, encode, MAX_WITH_PAYLOAD, wire } from "../../lib/runtime/encode.ts";
import {
  parseCertificate,
  parseCertificateNames,
  parseCrtList,
  parseCrtLists,
} from "../../lib/runtime/parse_ssl.ts";
import type { Reply } from "../../lib/runtime/replies.ts";
import { assertNoKey, openPki } from "../support/pki.ts";
import { eachIsOneCommand, startMarked } from "../support/evidence/one_command.ts";
import { type Haproxy, HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";

const client = ({ options: { api } }: Haproxy): RuntimeClient =>
  runtimeClient({ host: api.address, port: api.port });
const send = (haproxy: Haproxy, commands: readonly Command[]) =>
  client(haproxy).converse((talk) => talk.exchange(commands));
const ok = (replies: readonly Reply[]) => replies.map((reply) => reply.ok);
const text = (reply: Reply) => reply.ok ? reply.text : assert.fail(reply.message);
const SENTINEL = encode(["show", "version"], "data");

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: a certificate is made, listed, replaced and deleted, each reply told apart`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 1, slots: 1 });
    const { crtList } = paths(haproxy.root);
    const F = join(dirname(crtList), "a.test.pem");
    await using pki = await openPki();
    const ca = await pki.issue(["ca.test"]);
    const one = await pki.issue(["a.test", "*.a.test"], { by: ca });
    const entry = {
      path: F,
      options: ["ssl-min-ver", "TLSv1.2", "alpn", "h2,http/1.1"],
      filters: ["*.a.test", "!b.a.test"],
    };
    const replies = await send(haproxy, [
      showCrtLists(),
      newCertificate(F),
      newCertificate(F),
      addToCrtList(crtList, { path: F, options: [], filters: [] }),
      setCertificate(F, one.pem),
      showCertificates(),
      showPendingCertificate(F),
      commitCertificate(F),
      abortCertificate(F),
      commitCertificate(F),
      addToCrtList(crtList, entry),
      addToCrtList(crtList, { ...entry, path: `${F}.none` }),
      showCertificate(F),
      showCrtList(crtList),
      delCertificate(F),
      delFromCrtList(crtList, F, 1),
      delFromCrtList(crtList, F),
      delCertificate(F),
      showCertificate(F),
      showCrtList(`${crtList}.none`),
    ]);
    assert.deepEqual(
      ok(replies),
      // deno-fmt-ignore
      [true, true, false, false, true, true, true, true, false, false, true, false, true, true,
        false, false, true, true, false, false],
    );
    assert.deepEqual(parseCrtLists(text(replies[0])), [crtList]);
    assert.equal(parseCertificateNames(text(replies[5])).transaction, F);
    assert.equal(parseCertificate(text(replies[6])).fingerprint, one.fingerprint);
    const { notAfter, serial, ...shown } = parseCertificate(text(replies[12]));
    assert.deepEqual(shown, {
      status: "Used",
      names: ["a.test", "*.a.test"],
      fingerprint: one.fingerprint,
      chain: 1,
    });
    assert.match(serial!, /^[0-9A-F]+$/);
    const days = (Date.parse(notAfter!) - Date.now()) / 86_400_000;
    assert.ok(days > 89 && days < 91, notAfter);
    const [, listed] = parseCrtList(text(replies[13]));
    assert.deepEqual(
      { ...listed, options: [...listed.options].sort() },
      { ...entry, line: 2, options: [...entry.options].sort() },
    );
  });

  Deno.test(`${version}: what HAProxy refuses of a certificate is told, and frees the next one after an abort`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 1, slots: 1 });
    const folder = dirname(paths(haproxy.root).crtList);
    await using pki = await openPki();
    const [one, two] = [await pki.issue(["a.test"]), await pki.issue(["b.test"])];
    const broken = {
      "another one's key": two.key + one.certificate,
      "a key alone": one.key,
      "broken DER": one.key + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      "a broken chain": `${one.pem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
      "no block": "AAAA\n",
    };
    for (const [i, [what, pem]] of Object.entries(broken).entries()) {
      const [bad, good] = [join(folder, `bad${i}.pem`), join(folder, `good${i}.pem`)];
      const replies = await send(
        haproxy,
        [bad, good].flatMap((name) => [
          newCertificate(name),
          setCertificate(name, name === bad ? pem : one.pem),
          commitCertificate(name),
          abortCertificate(name),
        ]),
      );
      const [, set, commit, , ...after] = replies;
      assert.ok(!set.ok || !commit.ok, what);
      assert.deepEqual(ok(after), [true, true, true, false], `behind ${what}`);
      for (const reply of replies) if (!reply.ok) assertNoKey(reply.message, one.key, two.key);
    }
  });

  Deno.test(`${version}: the largest payload is taken, forty in a row too`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 1, slots: 1 });
    const pem = await selfSignedPem();
    const largest = (i: number) => {
      const name = `/certs/${i}-`;
      // HAProxy skips blocks that it does not know; the name takes what whole lines leave.
      const filled = (lines: number, more: number) =>
        setCertificate(
          name + "n".repeat(more),
          `${pem}-----BEGIN X-----\n${"A".repeat(64).concat("\n").repeat(lines)}-----END X-----\n`,
        );
      const room = MAX_WITH_PAYLOAD - wire(filled(0, 0)).length;
      const set = filled(Math.floor(room / 65), room % 65);
      assert.equal(wire(set).length, MAX_WITH_PAYLOAD);
      const whole = name + "n".repeat(room % 65);
      return [newCertificate(whole), set, commitCertificate(whole), abortCertificate(whole)];
    };
    const replies = await send(haproxy, [
      ...Array.from({ length: 40 }, (_, i) => largest(i)).flat(),
      SENTINEL,
    ]);
    assert.deepEqual(ok(replies), [...Array(40).fill([true, true, true, false]).flat(), true]);
    assert.ok(text(replies.at(-1)!).startsWith(version));
  });

  Deno.test(`${version}: whatever payload encode takes is one command, and the next one is still in step`, async () => {
    await using haproxy = await startMarked(version);
    const { crtList, defaultCertificate } = paths(haproxy.root);
    const line = fc.oneof(
      fc.constantFrom("", "%END%", "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"),
      fc.constantFrom("-----BEGIN PRIVATE KEY-----", "quit", "help", "AAAA", "A".repeat(256)),
      fc.stringMatching(/^[A-Za-z0-9+/]{1,64}={0,2}$/),
      fc.string({ unit: "binary", maxLength: 4 }),
    );
    const pems = fc.array(line, { maxLength: 6 }).map((lines) => () =>
      encode(["set", "ssl", "cert", "/no.pem"], "set cert", { pem: `${lines.join("\n")}\n` })
    );
    const word = fc.oneof(
      fc.constantFrom("%END%", "<<", "quit", "[", "]", "[]", "#", "!", "*", "$HOME", "", "a.test"),
      fc.stringMatching(/^[!-~]{1,8}$/),
    );
    // deno-fmt-ignore
    const option = fc.oneof(word, fc.constantFrom("alpn", "h2", "ssl-min-ver", "TLSv1.2", "key", "/x",
      "verify", "none", "no-ca-names", "ocsp-update", "off", "curves", "X25519", "no-alpn", "allow-0rtt"));
    const lists = fc.tuple(fc.array(option, { maxLength: 5 }), fc.array(word, { maxLength: 5 }))
      .map(([options, filters]) => () =>
        addToCrtList(crtList, { path: defaultCertificate, options, filters })
      );
    await eachIsOneCommand(
      haproxy,
      { row: `payloads, HAProxy ${version}`, inputs: 6_000, taken: 0.15 },
      fc.oneof(pems, lists),
    );
  });
}
