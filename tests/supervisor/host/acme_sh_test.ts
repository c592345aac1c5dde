/** The real acme.sh, against Pebble and a stand-in for Cloudflare's API. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { readSettings } from "../../../lib/config.ts";
import { AGENT_SH } from "../../../lib/supervisor/host/acme_sh_script.ts";
import { acmeShActs } from "../../../lib/supervisor/host/acme_sh.ts";
import { type AcmeRig, startAcmeRig } from "../../support/acme/rig.ts";
import { eventually } from "../../support/eventually.ts";
import { LEASH } from "../../support/leash.ts";
import { homes, homesGone } from "./acme_sh_fixtures.ts";
import { call, makeFolder } from "./fixtures.ts";

const domain = "example.test";

/** acme.sh beside the rig: its hook has Cloudflare's address in it, and curl is told where that lies. */
async function beside(rig: AcmeRig, env: Record<string, string> = {}) {
  const folder = await makeFolder();
  const { port } = new URL(rig.cloudflare.api);
  await folder.file(".curlrc", `connect-to = "api.cloudflare.com:443:127.0.0.1:${port}"\n`);
  const program = await folder.file(
    "acme.sh",
    `#!/bin/sh\nexport CURL_HOME='${folder.path}'\nexec '${Deno.env.get("ACME_SH")}' "$@"\n`,
  );
  await Deno.chmod(program, 0o755);
  const root = join(folder.path, "root");
  await Deno.mkdir(join(root, "data"), { recursive: true });
  const settings = {
    ...rig.env,
    HAPROXY_ROOT: root,
    ACME_DNS_WAIT: "1",
    ACME_SH: program,
    ...env,
  };
  const { acme, files } = readSettings(settings);
  return {
    folder,
    settings,
    ...acmeShActs({ acme, files, path: "" }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const namesOf = (pem: string) => new X509Certificate(pem).subjectAltName ?? "";

async function* filesIn(folder: string): AsyncGenerator<string> {
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) yield* filesIn(join(folder, name));
      else yield join(folder, name);
    }
  } catch {
    // It has gone meanwhile.
  }
}

/** Looks at every process's arguments, and for the first secret in acme.sh's home, until it is told to stop. */
function watch(secrets: readonly string[]) {
  const seen: string[] = [];
  let looks = 0;
  // Deno shows no other process's files.
  const shell = new Deno.Command("sh", {
    args: ["-c", `${LEASH}while :; do cat /proc/[0-9]*/cmdline 2>/dev/null; echo; done`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const watching = (async () => {
    let rest = "";
    for await (const text of shell.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      looks += lines.length;
      const args = lines.flatMap((line) => line.split("\0"));
      seen.push(...args.filter((arg) => secrets.some((secret) => arg.includes(secret))));
      for (const home of await homes()) {
        for await (const path of filesIn(home)) {
          const content = await Deno.readTextFile(path).catch(() => "");
          if (content.includes(secrets[0])) seen.push(path);
        }
      }
    }
  })();
  return {
    async end() {
      shell.kill("SIGTERM");
      await shell.stdin.close();
      await shell.status;
      await watching;
      assert.ok(looks > 20, `${looks} looks`);
      assert.deepEqual([...new Set(seen)], []);
    },
  };
}

Deno.test("acmeShIssue issues the wildcard with EAB: no secret in any process's arguments, the token in no file, no record left", async () => {
  await using rig = await startAcmeRig({ eab: true });
  await using acme = await beside(rig);
  const hex = Array.from(
    atob(rig.eab!.hmacKey.replaceAll("-", "+").replaceAll("_", "/")),
    (character) => character.charCodeAt(0).toString(16).padStart(2, "0"),
  ).join("");
  const before = await homes();
  const watching = watch([rig.cloudflare.token, rig.eab!.hmacKey, hex]);
  const { keyFile, chainFile } = await acme.acmeShIssue({ domain, wildcard: true }, call);
  await watching.end();
  assert.match(await Deno.readTextFile(keyFile), /PRIVATE KEY/);
  assert.match(
    namesOf(await Deno.readTextFile(chainFile)),
    /^DNS:example\.test, DNS:\*\.example\.test$/,
  );
  assert.deepEqual(rig.cloudflare.records(), []);
  await homesGone(before);
  const kept = join(acme.folder.path, "root/data/acme/acme.sh");
  for await (const { name } of Deno.readDir(kept)) {
    const text = await Deno.readTextFile(join(kept, name));
    for (const secret of [rig.cloudflare.token, rig.eab!.hmacKey]) {
      assert.ok(!text.includes(secret));
    }
    assert.equal((await Deno.stat(join(kept, name))).mode! & 0o777, 0o600);
  }
});

Deno.test("acmeShIssue issues again, with the account that it has, and a new key", async () => {
  await using rig = await startAcmeRig();
  const { accountId, zoneId } = rig.cloudflare;
  await using acme = await beside(rig, {
    ACME_EMAIL: "ops@example.test",
    CF_Account_ID: accountId,
    CF_Zone_ID: zoneId(domain),
  });
  const issue = async () => {
    const { keyFile, chainFile } = await acme.acmeShIssue({ domain, wildcard: false }, call);
    assert.equal(namesOf(await Deno.readTextFile(chainFile)), "DNS:example.test");
    return await Deno.readTextFile(keyFile);
  };
  const watching = watch([rig.cloudflare.token]);
  const first = await issue();
  assert.notEqual(await issue(), first);
  await watching.end();
  const registrations = (await rig.logs()).match(/There are now \d+ accounts in memory/g) ?? [];
  assert.equal(registrations.length, 1);
  assert.deepEqual(rig.cloudflare.records(), []);
});

Deno.test("acmeShIssue: what CA and Cloudflare refuse is told in acme.sh's words", async () => {
  await using rig = await startAcmeRig({ eab: true });
  await using badToken = await beside(rig, { CF_Token: "no-such-token" });
  await assert.rejects(badToken.acmeShIssue({ domain, wildcard: true }, call), {
    code: "ACME",
    message: "acme.sh issued no certificate for example.test: invalid domain; Error adding TXT " +
      "record to domain: _acme-challenge.example.test.",
    hint: /CF_Token/,
  });
  await using noEab = await beside(rig, { ACME_EAB_KID: "", ACME_EAB_HMAC_KEY: "" });
  await assert.rejects(noEab.acmeShIssue({ domain, wildcard: false }, call), {
    code: "ACME",
    message: /: Account registration error: .*externalAccountBinding/,
    hint: /ACME_EAB_KID/,
  });
  await using noCa = await beside(rig, { ACME_CA_FILE: "" });
  const abort = new AbortController();
  const trying = noCa.acmeShIssue({ domain, wildcard: false }, { signal: abort.signal });
  setTimeout(() => abort.abort(new DOMException("gone", "AbortError")), 1_000);
  await assert.rejects(trying, { name: "AbortError" });
  rig.cloudflare.dropDns(true);
  await using notProved = await beside(rig);
  await assert.rejects(notProved.acmeShIssue({ domain, wildcard: false }, call), {
    code: "ACME",
    message: /TXT/,
  });
  assert.deepEqual(rig.cloudflare.records(), []);
});

Deno.test("acmeShIssue removes a record whose making or whose first removal failed", async () => {
  await using rig = await startAcmeRig();
  await using acme = await beside(rig);
  rig.cloudflare.failNext({ match: "DELETE", status: 500 });
  await acme.acmeShIssue({ domain, wildcard: true }, call);
  assert.deepEqual(rig.cloudflare.records(), []);
  rig.cloudflare.failNext({ match: "POST", status: 500, after: true });
  await assert.rejects(acme.acmeShIssue({ domain, wildcard: true }, call), { code: "ACME" });
  assert.deepEqual(rig.cloudflare.records(), []);
});

for (const records of [0, 1, 2]) {
  Deno.test(`acmeShIssue, cancelled when there are ${records} records, leaves none, and no home`, async () => {
    await using rig = await startAcmeRig();
    await using acme = await beside(rig, { ACME_DNS_WAIT: "30" });
    const before = await homes();
    const abort = new AbortController();
    const issuing = acme.acmeShIssue({ domain, wildcard: true }, { signal: abort.signal });
    issuing.catch(() => {});
    await eventually(() =>
      rig.cloudflare.log().length > 0 && rig.cloudflare.records().length >= records
    );
    const begin = performance.now();
    abort.abort(new DOMException("gone", "AbortError"));
    await assert.rejects(issuing, { name: "AbortError" });
    assert.ok(performance.now() - begin < 15_000);
    assert.deepEqual(rig.cloudflare.records(), []);
    await homesGone(before);
  });
}

Deno.test("acmeShIssue: acme.sh leaves no record and no home where main ends meanwhile", async () => {
  await using rig = await startAcmeRig();
  await using acme = await beside(rig, { ACME_DNS_WAIT: "30" });
  const before = await homes();
  const source = new URL("../../../lib/supervisor/host/", import.meta.url).href;
  const main = await acme.folder.file(
    "main.ts",
    `import { readSettings } from "${new URL("../../config.ts", source).href}";
import { acmeShActs } from "${source}acme_sh.ts";
const { acme, files } = readSettings(${JSON.stringify(acme.settings)});
const abort = new AbortController();
acmeShActs({ acme, files, path: "" })
  .acmeShIssue({ domain: "${domain}", wildcard: true }, { signal: abort.signal }).catch(() => {});
for await (const _ of Deno.stdin.readable);
abort.abort(new DOMException("gone", "AbortError"));
setTimeout(() => Deno.exit(0), 50);`,
  );
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--config", "deno.json", "--no-prompt", "--no-check", "--quiet", "-A", main],
    stdin: "piped",
  }).spawn();
  await eventually(() => rig.cloudflare.records().length === 2, 20_000);
  await process.stdin.close();
  assert.equal((await process.status).code, 0);
  await eventually(() => rig.cloudflare.records().length === 0, 20_000);
  await homesGone(before);
});

Deno.test("the HMAC in acme.sh's shell is that of RFC 4231", async () => {
  await using folder = await makeFolder();
  const script = await folder.file("agent.sh", AGENT_SH);
  const cases = [
    [
      "0b".repeat(20),
      "Hi There",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ],
    [
      "4a656665",
      "what do ya want for nothing?",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ],
    [
      "aa".repeat(131),
      "Test Using Larger Than Block-Size Key - Hash Key First",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ],
  ];
  for (const [key, message, mac] of cases) {
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", `. "$0"; printf '%s' "$1" | _hmac sha256 "$2"`, script, message, key],
      env: { LE_CONFIG_HOME: folder.path },
    }).output();
    assert.equal(stdout.toHex(), mac);
  }
});
