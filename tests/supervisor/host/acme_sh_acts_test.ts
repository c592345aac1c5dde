/** What main makes of acme.sh: a script stands in for it, so that it does what it is told. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readSettings } from "../../../lib/config.ts";
import { acmeShActs } from "../../../lib/supervisor/host/acme_sh.ts";
import { makeAcmeShHome } from "../../../lib/supervisor/host/acme_sh_home.ts";
import { eventually } from "../../support/eventually.ts";
import { CHAIN, homes, homesGone, ISSUES, KEY, openAcmeSh, TOKEN } from "./acme_sh_fixtures.ts";
import { call, makeFolder } from "./fixtures.ts";

const wanted = { domain: "example.test", wildcard: false } as const;
const mode = async (path: string) => (await Deno.stat(path)).mode! & 0o777;

Deno.test("acmeShIssue answers key and chain, in files of main's own that only this user reads", async () => {
  await using acme = await openAcmeSh();
  const { keyFile, chainFile } = await acme.acmeShIssue(wanted, call);
  const folder = join(acme.root, "data/acme/acme.sh");
  assert.deepEqual([keyFile, chainFile], [
    join(folder, "example.test.key"),
    join(folder, "example.test.cer"),
  ]);
  assert.equal(await Deno.readTextFile(keyFile), KEY);
  assert.equal(await Deno.readTextFile(chainFile), CHAIN);
  assert.deepEqual(await Promise.all([folder, keyFile, chainFile].map(mode)), [
    0o700,
    0o600,
    0o600,
  ]);
});

Deno.test("acmeShIssue names the domain, and its wildcard where it is asked for, in its one spelling", async () => {
  await using acme = await openAcmeSh();
  const domains = async () => {
    const argv = (await acme.folder.argumentsOf("acme.sh"))!;
    return argv.filter((_, index) => argv[index - 1] === "-d");
  };
  await acme.acmeShIssue({ domain: "EXAMPLE.test.", wildcard: true }, call);
  assert.deepEqual(await domains(), ["example.test", "*.example.test"]);
  await acme.acmeShIssue({ domain: "example.test", wildcard: "yes" as never }, call);
  assert.deepEqual(await domains(), ["example.test"]);
});

Deno.test("acmeShIssue: what acme.sh is told, and the secrets in its environment alone", async () => {
  await using folder = await makeFolder();
  const caFile = await folder.file("ca.pem", CHAIN);
  const secrets = { CF_Account_ID: "account-id", CF_Zone_ID: "zone-id" };
  const eab = { ACME_EAB_KID: "key-id", ACME_EAB_HMAC_KEY: "hmac-key" };
  const directory = "https://localhost:14000/dir";
  const env = { ACME_DIRECTORY: directory, ACME_EMAIL: "ops@example.test", ACME_CA_FILE: caFile };
  await using acme = await openAcmeSh({ env: { ...env, ...secrets, ...eab } });
  await acme.acmeShIssue(wanted, call);
  const argv = (await acme.folder.argumentsOf("acme.sh"))!;
  const home = argv[argv.indexOf("--config-home") + 1];
  assert.deepEqual(argv, [
    ...["--issue", "--dns", "dns_cf", "-d", "example.test"],
    ...["--server", directory, "--keylength", "ec-256", "--dnssleep", "30"],
    ...["--config-home", home, "--no-color"],
    ...["--ca-bundle", `${home}/ca.pem`, "--accountemail", "ops@example.test"],
  ]);
  const own = (await acme.folder.environmentOf("acme.sh")).filter((line) =>
    !/^(PWD|_|SHLVL|OLDPWD|PATH)=/.test(line)
  );
  assert.deepEqual(own.sort(), [
    "CF_Account_ID=account-id",
    `CF_Token=${TOKEN}`,
    "CF_Zone_ID=zone-id",
    `HOME=${home}`,
  ]);
  assert.equal(
    await acme.home("ca.conf"),
    "CA_EAB_KEY_ID='key-id'\nCA_EAB_HMAC_KEY='hmac-key'\n",
  );
  // With the system's own, which Cloudflare's certificate is signed by.
  assert.ok((await acme.home("ca.pem"))!.endsWith(CHAIN));
});

Deno.test("acmeShIssue waits for the record as long as ACME_DNS_WAIT says, 1 to 30 s", async () => {
  for (const [wait, sleep] of [["0", "1"], ["7", "7"], ["600", "30"]]) {
    await using acme = await openAcmeSh({ env: { ACME_DNS_WAIT: wait } });
    await acme.acmeShIssue(wanted, call);
    const argv = (await acme.folder.argumentsOf("acme.sh"))!;
    assert.equal(argv[argv.indexOf("--dnssleep") + 1], sleep);
  }
});

Deno.test("acmeShIssue: acme.sh's home is this user's alone, not under the root, and gone afterwards", async () => {
  for (const end of ["exit 1", "kill -KILL $$", ISSUES]) {
    await using acme = await openAcmeSh({
      body: `stat -c %a "$home" "$home"/* >"$0.modes"\n${end}`,
    });
    const before = await homes();
    await acme.acmeShIssue(wanted, call).catch(() => {});
    const argv = (await acme.folder.argumentsOf("acme.sh"))!;
    assert.ok(!argv[argv.indexOf("--config-home") + 1].startsWith(acme.root));
    const modes = await Deno.readTextFile(join(acme.folder.path, "acme.sh.modes"));
    assert.equal(modes, "700\n600\n600\n600\n");
    await homesGone(before);
  }
});

Deno.test("acmeShIssue answers ACME with acme.sh's own words, and no secret in them", async () => {
  const at = "[Wed Nov 25 14:22:58 UTC 2026]";
  for (
    const [body, message, hint] of [
      [
        `echo '${at} invalid domain' >&2
echo '${at} Error adding TXT record to domain: _acme-challenge.example.test' >&2
echo "${at} Please add '--debug' or '--log' to see more information." >&2
echo '${at} See: https://acme.sh' >&2
echo '${at} Error removing txt for domain: _acme-challenge.example.test' >&2
exit 1`,
        "invalid domain; Error adding TXT record to domain: _acme-challenge.example.test",
        /CF_Token/,
      ],
      [
        `echo '${at} Account registration error: {
   "type": "urn:ietf:params:acme:error:externalAccountRequired",
   "detail": "requests must include the externalAccountBinding field",
   "status": 403
}' >&2; exit 1`,
        "Account registration error: requests must include the externalAccountBinding field",
        /ACME_EAB_KID/,
      ],
      [
        `for i in 1 2 3; do
echo '${at} Please refer to https://curl.haxx.se/libcurl/c/libcurl-errors.html for error code: 7' >&2
done; echo '${at} Cannot init API for https://localhost/dir' >&2; exit 1`,
        "curl ended with 7; Cannot init API for https://localhost/dir",
      ],
      [
        `echo '${at} Skipping. Next renewal time is: 2027-01-23T14:20:19Z'; exit 2`,
        "Skipping. Next renewal time is: 2027-01-23T14:20:19Z",
      ],
      [`echo "token $CF_Token, $CF_Token" >&2; exit 1`, "token …, …"],
      [`printf '\\033[31mred\\033[0m\\a' >&2; exit 1`, "[31mred [0m"],
      ["exit 3", "it ended with 3"],
    ] as const
  ) {
    await using acme = await openAcmeSh({ body });
    await assert.rejects(acme.acmeShIssue(wanted, call), {
      code: "ACME",
      message: `acme.sh issued no certificate for example.test: ${message}.`,
      ...(hint && { hint }),
    });
    assert.deepEqual(await acme.kept(), []);
  }
});

Deno.test("acmeShIssue answers ACME where acme.sh ends well and leaves no certificate", async () => {
  await using acme = await openAcmeSh({ body: "exit 0" });
  await assert.rejects(acme.acmeShIssue(wanted, call), {
    code: "ACME",
    message: "acme.sh ended well, and left no certificate for example.test.",
  });
});

Deno.test("acmeShIssue answers UNSUPPORTED where there is no acme.sh, and names ACME_SH", async () => {
  await using folder = await makeFolder();
  const plain = await folder.file("plain", "");
  const issue = (env: Record<string, string>, path = "") => {
    const { acme, files } = readSettings({ CF_Token: TOKEN, ...env });
    return acmeShActs({ acme, files, path }).acmeShIssue(wanted, call);
  };
  const refusal = (message: string) => ({ code: "UNSUPPORTED", message, hint: /ACME_SH/ });
  await assert.rejects(issue({}, folder.path), refusal("acme.sh is in no folder of PATH."));
  await assert.rejects(
    issue({ ACME_SH: "le.sh" }),
    refusal("ACME_SH=le.sh is in no folder of PATH."),
  );
  await assert.rejects(
    issue({ ACME_SH: plain }),
    refusal(`ACME_SH=${plain} is no executable file.`),
  );
});

Deno.test("acmeShIssue and acmeShForget refuse what is no plain domain, and run nothing", async () => {
  await using acme = await openAcmeSh();
  for (const domain of ["*.example.test", "a b.test", "-d", "../x.test", "", undefined, 7]) {
    const args = { domain: domain as string };
    await assert.rejects(acme.acmeShIssue({ ...args, wildcard: false }, call), {
      code: "VALIDATION",
    });
    await assert.rejects(acme.acmeShForget(args, call), { code: "VALIDATION" });
  }
  assert.equal(await acme.folder.argumentsOf("acme.sh"), undefined);
});

Deno.test("acmeShIssue answers VALIDATION without a token, and for a key that the shell can't be given", async () => {
  for (
    const [env, message] of [
      [{ CF_Token: "" }, /^CF_Token is not set/],
      [{ ACME_EAB_KID: "k", ACME_EAB_HMAC_KEY: "a'b" }, /CA_EAB_HMAC_KEY: it holds a quotation/],
    ] as const
  ) {
    await using acme = await openAcmeSh({ env });
    await assert.rejects(acme.acmeShIssue(wanted, call), { code: "VALIDATION", message });
    assert.equal(await acme.folder.argumentsOf("acme.sh"), undefined);
  }
});

Deno.test("acmeShIssue runs one acme.sh at a time", async () => {
  const body =
    `echo "begin $domain" >>"$0.log"; sleep 0.3; echo "end $domain" >>"$0.log"\n${ISSUES}`;
  await using acme = await openAcmeSh({ body });
  const domains = ["a.test", "b.test", "c.test"];
  const issue = (domain: string) => acme.acmeShIssue({ domain, wildcard: false }, call);
  await Promise.all(domains.map(issue));
  const log = await Deno.readTextFile(join(acme.folder.path, "acme.sh.log"));
  assert.equal(log, domains.map((domain) => `begin ${domain}\nend ${domain}\n`).join(""));
});

const CLEANS_UP = `trap 'sleep 0.7; : >"$0.cleaned"; exit 1' TERM
: >"$0.up"; while :; do sleep 0.05; done`;

Deno.test("acmeShIssue: cancelled, acme.sh is told so and may clean up; the next one waits for it", async () => {
  await using acme = await openAcmeSh({
    body: `[ "$domain" = next.test ] || { ${CLEANS_UP}; }\n${ISSUES}`,
  });
  const at = (name: string) => join(acme.folder.path, `acme.sh.${name}`);
  const is = (name: string) => Deno.stat(at(name)).then(() => true, () => false);
  const abort = new AbortController();
  const issuing = acme.acmeShIssue(wanted, { signal: abort.signal });
  await eventually(() => is("up"));
  const next = acme.acmeShIssue({ domain: "next.test", wildcard: false }, call);
  abort.abort(new DOMException("gone", "AbortError"));
  await delay(300);
  assert.deepEqual(await acme.kept(), []);
  await assert.rejects(issuing, { name: "AbortError" });
  assert.ok(await is("cleaned"));
  await next;
  assert.deepEqual(await acme.kept(), ["next.test.cer", "next.test.key"]);
});

Deno.test("acmeShIssue: one that is cancelled before its turn runs nothing", async () => {
  await using acme = await openAcmeSh({ body: `sleep 0.5\n${ISSUES}` });
  const first = acme.acmeShIssue(wanted, call);
  const abort = new AbortController();
  const second = acme.acmeShIssue({ domain: "b.test", wildcard: false }, { signal: abort.signal });
  abort.abort(new DOMException("gone", "AbortError"));
  await assert.rejects(second, { name: "AbortError" });
  await first;
  assert.deepEqual(await acme.kept(), ["example.test.cer", "example.test.key"]);
});

Deno.test("acmeShIssue answers TIMEOUT after its deadline, once acme.sh has cleaned up", async () => {
  await using acme = await openAcmeSh({ body: CLEANS_UP, issueMs: 300 });
  await assert.rejects(acme.acmeShIssue(wanted, call), {
    code: "TIMEOUT",
    message: /acme\.sh did not end within 0\.3 s\.$/,
  });
  await Deno.stat(join(acme.folder.path, "acme.sh.cleaned"));
});

Deno.test("acmeShForget removes the domain's files, and answers whether there were any", async () => {
  await using acme = await openAcmeSh();
  await acme.acmeShIssue(wanted, call);
  await acme.acmeShIssue({ domain: "other.test", wildcard: false }, call);
  assert.equal(await acme.acmeShForget({ domain: "example.test" }, call), true);
  assert.equal(await acme.acmeShForget({ domain: "example.test" }, call), false);
  assert.deepEqual(await acme.kept(), ["other.test.cer", "other.test.key"]);
});

Deno.test("a home of acme.sh that a killed process left is removed after an hour, others stay", async () => {
  const old = await Deno.makeTempDir({ prefix: "haproxy-mcp-acme.sh-" });
  const young = await Deno.makeTempDir({ prefix: "haproxy-mcp-acme.sh-" });
  const then = Date.now() / 1000 - 3_700;
  await Deno.utime(old, then, then);
  try {
    await using acme = await openAcmeSh();
    await acme.acmeShIssue(wanted, call);
    await assert.rejects(Deno.stat(old), Deno.errors.NotFound);
    await Deno.stat(young);
  } finally {
    await Deno.remove(young);
  }
});

Deno.test("acme.sh has no home where the tools room could write its code", async () => {
  const before = await homes();
  const probe = await Deno.makeTempDir();
  const parent = dirname(await Deno.realPath(probe));
  await Deno.remove(probe);
  await assert.rejects(makeAcmeShHome({ root: parent }), { code: "UNSUPPORTED", hint: /TMPDIR/ });
  await homesGone(before);
});
