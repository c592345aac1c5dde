/** No token, EAB key or private key in a log, an answer, the audit log, a process's arguments or a file that others may read. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { acmeShBeside } from "../support/acme/acme_sh.ts";
import { startAcmeRig } from "../support/acme/rig.ts";
import { watchArguments } from "../support/arguments.ts";
import { openPki } from "../support/pki.ts";
import { openSite } from "./site.ts";

const HOST = "example.test";

/** The lines of the private keys in a text: any one of them would give the key away. */
const keyLines = (text: string) =>
  Array.from(text.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]+)-----END/g))
    .flatMap(([, body]) => body.split(/\s|\\n/)).filter((line) => line.length > 20);

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* filesBelow(path);
    else if (isFile) yield path;
  }
}

for (const client of ["builtin", "acme.sh"] as const) {
  Deno.test(`${client}: orders that succeed and that fail show no secret to anybody`, async () => {
    await using rig = await startAcmeRig({ eab: true });
    await using acmeSh = await acmeShBeside(rig);
    await using pki = await openPki();
    const temporary = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
    await using _folder = {
      [Symbol.asyncDispose]: () => Deno.remove(temporary, { recursive: true }),
    };
    const env = {
      ...rig.env,
      ACME_CLIENT: client,
      ACME_SH: acmeSh.path,
      ACME_DNS_WAIT: "1",
      LOG_LEVEL: "DEBUG",
      TMPDIR: temporary,
    };
    await using site = await openSite({ env });
    const { root } = site.haproxy;
    const file = join(root, `certs/${HOST}.pem`);
    const endWatch = watchArguments();
    const answers: unknown[] = [];
    const keys: string[] = [];
    const ask = async (name: string, args: object = {}) => {
      answers.push(await site.http.ask(name, args));
      keys.push(...keyLines(await Deno.readTextFile(file).catch(() => "")));
    };
    await ask("issue_cert", { domain: HOST, wildcard: true, dry_run: true });
    await ask("issue_cert", { domain: HOST, wildcard: true });
    await ask("renew_cert", { domain: HOST, force: true });
    await ask("list_certs");
    await ask("cert_info", { domain: HOST });
    rig.cloudflare.failNext({ status: 403, match: "POST" });
    await ask("renew_cert", { domain: HOST, force: true });
    rig.cloudflare.dropDns(true);
    await ask("renew_cert", { domain: HOST, force: true });
    rig.cloudflare.dropDns(false);
    await ask("issue_cert", { domain: "elsewhere.invalid.test" });
    const good = await Deno.readTextFile(file);
    const stranger = await pki.issue([HOST]);
    keys.push(...keyLines(stranger.pem));
    await Deno.writeTextFile(file, stranger.key + good.slice(good.indexOf("-----BEGIN CERT")));
    await ask("load_cert", { domain: HOST });
    await Deno.writeTextFile(file, good);
    await ask("load_cert", { domain: HOST, dry_run: true });
    await ask("load_cert", { domain: HOST });
    await ask("health");
    await ask("reload");
    const processes = await endWatch();

    for await (const path of filesBelow(join(root, "data"))) {
      keys.push(...keyLines(await Deno.readTextFile(path)));
    }
    const secrets = new Set([...keys, rig.cloudflare.token, rig.eab!.hmacKey]);
    // Three orders at least, and the account where it is ours.
    assert.ok(secrets.size >= 8, `${secrets.size} secrets`);
    const leaks = (text: string) => [...secrets].filter((secret) => text.includes(secret));

    const audit = await Deno.readTextFile(join(root, "data/audit.jsonl"));
    assert.match(audit, /haproxy_renew_cert/);
    assert.ok(site.agent.log().length > 100 && processes.includes("serve"));
    const shown = { answers: JSON.stringify(answers), log: site.agent.log(), audit, processes };
    for (const [where, text] of Object.entries(shown)) assert.deepEqual(leaks(text), [], where);
    assert.deepEqual(leaks(await site.haproxy.logs()), []);

    let kept = 0;
    for await (const path of filesBelow(root)) {
      if (leaks(await Deno.readTextFile(path)).length === 0) continue;
      kept += 1;
      const mode = (await Deno.stat(path)).mode! & 0o777;
      assert.equal(mode & 0o077, 0, `${path} has mode ${mode.toString(8)}`);
    }
    assert.ok(kept >= 1);
    assert.deepEqual(await Array.fromAsync(filesBelow(temporary)), []);
    // Not at rest either, where nothing needs it any more.
    for await (const path of filesBelow(join(root, "data"))) {
      const text = await Deno.readTextFile(path);
      assert.ok(!text.includes(rig.cloudflare.token) && !text.includes(rig.eab!.hmacKey), path);
    }
  });
}
