/** Certificates as users get them: ordered from a CA, served over HTTP/1.1, 2 and 3, renewed under load. */
import assert from "node:assert/strict";
import { acmeShBeside } from "../support/acme/acme_sh.ts";
import { type AcmeRig, startAcmeRig } from "../support/acme/rig.ts";
import { startBackend } from "../support/backend.ts";
import { curl, type HttpVersion } from "../support/curl.ts";
import { HAPROXY_VERSIONS, type HaproxyVersion } from "../support/haproxy.ts";
import { type LoadKind, startLoad } from "../support/load.ts";
import { served } from "../support/pki.ts";
import { openSite, type Site } from "./site.ts";

const HOST = "example.test";

/** HTTP/3 is promised from 3.2 on. */
const versionsOf = (haproxy: HaproxyVersion): readonly HttpVersion[] =>
  haproxy === "3.0" ? ["1.1", "2"] : ["1.1", "2", "3"];

async function addBackend(site: Site, backend: { address: string; port: number }): Promise<void> {
  const server = { ip: backend.address, http_port: backend.port };
  await site.http.call("add_domain", { domain: HOST, ...server, wildcard: true });
}

/** Asked over each version of HTTP, the domain and a name of its wildcard answer with a chain that verifies. */
async function verifies(site: Site, rig: AcmeRig, names: readonly string[]): Promise<void> {
  const { version, options: { httpsPort: port } } = site.haproxy;
  const root = await rig.root();
  for (const host of names) {
    for (const http of versionsOf(version)) {
      const answer = await curl(http, { host, port, root });
      assert.deepEqual(answer, { status: 200, version: http, body: "one\n" }, `${host} ${http}`);
    }
  }
}

async function issueServeRenewDelete(version: HaproxyVersion, client: "builtin" | "acme.sh") {
  await using rig = await startAcmeRig({ eab: client === "builtin" });
  await using acmeSh = await acmeShBeside(rig);
  await using backend = startBackend("one");
  const env = { ...rig.env, ACME_CLIENT: client, ACME_SH: acmeSh.path, ACME_DNS_WAIT: "2" };
  await using site = await openSite({ version, env });
  await addBackend(site, backend);
  const { structured } = await site.http.call("issue_cert", { domain: HOST, wildcard: true });
  assert.equal(structured.issued, true);
  assert.deepEqual(new Set(structured.names as string[]), new Set([HOST, `*.${HOST}`]));
  assert.equal(structured.renewed_by, client);
  assert.equal(structured.loaded, true);
  await verifies(site, rig, [HOST, `www.${HOST}`]);
  assert.deepEqual(rig.cloudflare.records(), []);
  await site.haproxy.kill9();
  await site.haproxy.start();
  await verifies(site, rig, [`api.${HOST}`]);
  const again = await site.http.call("issue_cert", { domain: HOST, wildcard: true });
  assert.equal(again.structured.issued, false);
  const renewed = await site.http.call("renew_cert", { domain: HOST, force: true });
  assert.equal(renewed.structured.renewed, true);
  await verifies(site, rig, [HOST]);
  const deleted = await site.http.call("delete_cert", { domain: HOST });
  const from = deleted.structured.deleted_from as string[];
  assert.equal(from.includes("acme.sh"), client === "acme.sh");
  assert.equal(from.includes("HAProxy"), true);
  const gone = await site.http.call("list_certs");
  assert.equal(gone.structured.count, 1);
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: a certificate is issued, served over ${versionsOf(version).join(", ")} with its wildcard, also after HAProxy's restart, renewed and deleted`, () =>
    issueServeRenewDelete(version, "builtin"));
}

Deno.test("3.2 and 3.4: the same with acme.sh", async () => {
  await Promise.all(
    (["3.2", "3.4"] as const).map((version) => issueServeRenewDelete(version, "acme.sh")),
  );
});

const KINDS: readonly LoadKind[] = ["h1 tls", "h1 tls fresh", "h2", "h2 fresh", "h3", "h3 fresh"];
const OPEN = 200;
const RENEWALS = 3;

/** Connections that a client holds open across the renewals. */
async function openConnections(port: number, root: string): Promise<Deno.TlsConn[]> {
  const options = { hostname: "127.0.0.1", port };
  return await Promise.all(Array.from({ length: OPEN }, async () => {
    const tcp = await Deno.connect(options);
    return await Deno.startTls(tcp, { hostname: HOST, caCerts: [root] });
  }));
}

/** A busy machine may take longer than 10 s for a round: HAProxy is not to close what is idle so long. */
const patient = (config: string) =>
  config.replaceAll(/timeout (http-request|http-keep-alive) .*/g, "timeout $1 5m");

async function ask(connection: Deno.TlsConn): Promise<string> {
  await connection.write(new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`));
  const buffer = new Uint8Array(4096);
  let text = "";
  while (!text.endsWith("one\n")) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error(`the connection ended after ${JSON.stringify(text)}`);
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text.split("\r\n")[0];
}

for (const version of ["3.2", "3.4"] as const) {
  Deno.test(`${version}: ${RENEWALS} renewals under load and ${OPEN} open connections: no request fails, new handshakes get the new one, nothing is reloaded`, async () => {
    await using rig = await startAcmeRig();
    await using backend = startBackend("one");
    await using site = await openSite({ version, env: rig.env, edit: patient });
    const { haproxy, http } = site;
    await addBackend(site, backend);
    await http.call("issue_cert", { domain: HOST });
    const root = await rig.root();
    const port = haproxy.options.httpsPort;
    const worker = await haproxy.workerPid();
    const connections = await openConnections(port, root);
    const tls = { certificate: root, serverName: HOST };
    const loads = await Promise.all(
      KINDS.map((kind) => startLoad(haproxy, kind, { host: HOST, names: ["one"], tls })),
    );
    try {
      await Promise.all(connections.map(ask));
      await Promise.all(loads.map((load) => load.more(20)));
      const seen = new Set((await served(port, HOST)).slice(0, 1));
      for (let renewal = 1; renewal <= RENEWALS; renewal++) {
        const { structured } = await http.call("renew_cert", { domain: HOST, force: true });
        const { fingerprint_sha1 } = structured.certificate as Record<string, string>;
        assert.deepEqual((await served(port, HOST))[0], fingerprint_sha1);
        seen.add(fingerprint_sha1);
        await Promise.all(loads.map((load) => load.more(60)));
        for (const connection of connections) {
          assert.equal(await ask(connection), "HTTP/1.1 200 OK");
        }
      }
      assert.equal(seen.size, RENEWALS + 1);
      assert.equal(await haproxy.workerPid(), worker);
      await verifies(site, rig, [HOST]);
    } finally {
      await Promise.all(loads.map((load) => load.stop()));
      for (const connection of connections) connection.close();
    }
    const reports = loads.map(({ report }) => report);
    console.log(
      `haproxy-mcp: HAProxy ${version}, ${RENEWALS} renewals, ${OPEN} open connections: answered ${
        reports.map(({ answered }, i) => `${KINDS[i]} ${answered}`).join(", ")
      }; failed ${reports.flatMap(({ failures }) => failures).length}`,
    );
    reports.forEach(({ failures }, i) => assert.deepEqual(failures, [], KINDS[i]));
  });
}
