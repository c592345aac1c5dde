import assert from "node:assert/strict";
import { agentBackends, agentNames } from "../../lib/doctor/agent.ts";
import { readVersion } from "../../lib/supervisor/host/installed.ts";
import { readDf } from "../../lib/supervisor/host/disk.ts";
import { judge, saw, told, unseen } from "./seen.ts";

Deno.test("disk: little room is a warning, too little a fault; files count, too", () => {
  const disk = (freeBytes: number, freeFiles?: number) =>
    told("disk", { seen: { disk: saw({ freeBytes, freeFiles }) } });
  assert.match(disk(200e6), /^ok: 200 MB free/);
  assert.match(disk(99e6), /^warning: 99 MB free/);
  assert.match(disk(9e6), /^fault: 9 MB free/);
  assert.match(disk(10e9, 500), /^warning: 10000 MB, 500 files free/);
  assert.match(disk(10e9, 5), /^fault: /);
});

Deno.test("readDf reads the last line, whatever the file system and the mount are called", () => {
  const head = "Filesystem     1024-blocks    Used Available Capacity Mounted on\n";
  assert.deepEqual(readDf(`${head}/dev/vda1 1000 600 350 64% /\n`), { total: 1000, free: 350 });
  assert.deepEqual(readDf(`${head}a host:/b 9 1 2000 80% 1000 600 350 64% /mnt/x y\n`)?.free, 350);
  assert.deepEqual(readDf(`${head}overlay 0 0 0 - /\n`), { total: 0, free: 0 });
  assert.equal(readDf("df: no such file\n"), undefined);
});

Deno.test("readVersion takes version and features from haproxy -vv", () => {
  const text = `HAProxy version 3.2.26-1 2026/10/14 - https://haproxy.org/
Feature list : -51DEGREES +ACME +OPENSSL -OPENSSL_AWSLC +QUIC
`;
  assert.deepEqual(readVersion(text), {
    version: "3.2.26-1",
    features: ["ACME", "OPENSSL", "QUIC"],
  });
  assert.equal(readVersion("GNU bash, version 5\n"), undefined);
});

Deno.test("clock: half a minute is odd, five minutes are wrong, whoever tells", () => {
  const ahead = (ms: number) => told("clock", { haproxy: { clockAhead: saw(ms) } });
  assert.match(ahead(29_000), /^ok: /);
  assert.equal(ahead(60_000), "warning: this machine's clock is 60 s behind HAProxy's");
  assert.equal(ahead(-7_200_000), "fault: this machine's clock is 2 h ahead of HAProxy's");
  const acme = saw({ ca: saw({ clockAhead: 600_000 }), dns: saw({ zones: [] }) });
  assert.equal(
    told("clock", { seen: { acme } }),
    "fault: this machine's clock is 10 min behind the CA's",
  );
});

Deno.test("clock: a certificate that is not valid yet tells that it is behind", () => {
  const inventory = saw([{
    name: "a.test",
    file: "/x/a.test.pem",
    served: true,
    managed: true,
    notBefore: "2026-06-02T00:00:00Z",
    notAfter: "2026-09-01T00:00:00Z",
  }]);
  assert.equal(
    told("clock", { files: { inventory } }),
    "fault: by this machine's clock it is 2026-06-01T12:00:00Z, and the certificate a.test is from 2026-06-02T00:00:00Z",
  );
});

Deno.test("open-files: the usual limit is enough", () => {
  assert.match(told("open-files", { seen: { openFiles: saw(1024) } }), /^ok: /);
  assert.match(told("open-files", { seen: { openFiles: saw(1023) } }), /^warning: /);
  assert.match(told("open-files", { seen: { openFiles: saw(Infinity) } }), /^ok: /);
});

Deno.test("reload: where HAProxy is down no way can work, and that is said elsewhere", () => {
  const tried = [{ way: "master" as const, problem: "nobody listens" }];
  const host = saw({
    config_file: { path: "/x" },
    container: { name: "haproxy", status: "none" },
    reload: { way: null, tried, check: null },
  });
  assert.match(told("reload", { seen: { host } }), /^warning: .*master: nobody listens/);
  const process = unseen("It can't be reached.", "HAPROXY_UNREACHABLE");
  assert.match(
    told("reload", { seen: { host }, haproxy: { process } }),
    /^skipped: .*see runtime-api/,
  );
});

Deno.test("expiry tells who renews it, and how", () => {
  const ending = (managed: boolean, notAfter: string) =>
    judge("expiry", {
      files: {
        inventory: saw([
          {
            name: "a.test",
            file: "/x/a.test.pem",
            served: true,
            managed,
            notBefore: "2026-03-15T00:00:00Z",
            notAfter,
          },
        ]),
      },
    });
  assert.deepEqual(ending(true, "2026-06-11T00:00:00Z"), {
    status: "warning",
    message: "a.test ends in 9 days",
    remedy: "See why it was not renewed: haproxy-mcp call haproxy_renew_cert --domain a.test",
  });
  const over = ending(false, "2026-05-31T00:00:00Z");
  assert.equal(over.status, "fault");
  assert.match("remedy" in over ? over.remedy : "", /Put a new one into \/x\/a\.test\.pem/);
  assert.equal(ending(true, "2026-07-31T00:00:00Z").status, "ok");
});

Deno.test("expiry: what has expired is told before what is about to, and what ends first before the others", () => {
  const certificate = (name: string, notAfter: string) => ({
    name,
    file: `/x/${name}.pem`,
    served: true,
    managed: true,
    notBefore: "2026-03-15T00:00:00Z",
    notAfter,
  });
  const ending = Array.from(
    { length: 8 },
    (_, i) => certificate(`a${i}.test`, `2026-06-0${9 - i}T00:00:00Z`),
  );
  const told = (...certificates: readonly ReturnType<typeof certificate>[]) =>
    judge("expiry", { files: { inventory: saw(certificates) } });
  const { status, message } = told(...ending, certificate("z.test", "2026-05-31T00:00:00Z"));
  assert.deepEqual([status, message], ["fault", "z.test has expired on 2026-05-31"]);
  assert.match(
    told(...ending).message,
    /^a7\.test ends in 0 days; a6\.test .*a3\.test ends in 4 days; and 3 more$/,
  );
});

Deno.test("private-keys looks at certificates and account keys, and lets HAProxy's group read", () => {
  const entry = { folder: false, special: false, uid: 0, gid: 0, modified: 0 };
  const key = (path: string, mode: number) =>
    told("private-keys", {
      seen: { tree: saw({ entries: [{ ...entry, path: `/opt/haproxy/${path}`, mode }] }) },
    });
  assert.match(key("certs/a.test.pem", 0o640), /^ok: /);
  assert.match(key("certs/a.test.pem", 0o644), /^fault: .*a\.test\.pem/);
  assert.match(key("certs/crt-list.txt", 0o644), /^ok: /);
  assert.match(key("data/acme/account-1.json", 0o644), /^fault: /);
});

const ROUTES = `
frontend f
    acl is_agent hdr(host) -i Agent.example.com other.example.com
    use_backend mcp if { req.hdr(host),host_only -m str -i mcp.example.com }
    use_backend mcp if is_agent
    use_backend shop if { hdr(host) -i shop.example.com }
    acl is_shop hdr(host) -i shop2.example.com
backend mcp
    server agent 127.0.0.1:8000
backend shop
    server one 10.0.0.1:8000
`;

Deno.test("agentNames finds the host names of conditions and ACLs that lead to the agent, and no others", () => {
  assert.deepEqual(agentBackends(ROUTES, 8000), ["mcp"]);
  assert.deepEqual(agentBackends(ROUTES, 8001), []);
  assert.deepEqual(agentNames(ROUTES, 8000), [
    "mcp.example.com",
    "agent.example.com",
    "other.example.com",
  ]);
});

Deno.test("trusted-networks: loopback is everybody where HAProxy forwards from there", () => {
  const env = { MCP_TRUSTED_NETWORKS: "127.0.0.0/8", MCP_TRUSTED_ACCESS: "read" };
  assert.match(
    told("trusted-networks", { env }),
    /^warning: .*read access .* every user and program/,
  );
  assert.match(
    told("trusted-networks", { env, seen: { config: saw(ROUTES) } }),
    /^fault: .*everybody$/,
  );
  assert.match(
    told("trusted-networks", { env: { MCP_TRUSTED_NETWORKS: "none" } }),
    /^ok: everybody needs a token/,
  );
  assert.match(told("trusted-networks"), /^ok: no token is asked of 100\.64\.0\.0\/10/);
});

Deno.test("serve: one that is not ready is a warning, and so is none", () => {
  const serve = (who: "nobody" | "serve" | "stranger", ready = false) =>
    told("serve", { seen: { serve: saw({ who, ready, names: [], refused: [] }) } });
  assert.match(serve("serve", true), /^ok: /);
  assert.match(serve("serve"), /^warning: .*not ready/);
  assert.match(serve("nobody"), /^warning: no serve answers/);
  assert.match(serve("stranger"), /^fault: something else/);
});
