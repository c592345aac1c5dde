/** The act that opens the acme room, with rooms of this test's own behind it. */
import assert from "node:assert/strict";
import { readSettings } from "../../../lib/config.ts";
import type { AcmeActs } from "../../../lib/certificates/acme/acts.ts";
import { connect, type Handlers, type Peer } from "../../../lib/rpc/mod.ts";
import { certificateHost } from "../../../lib/supervisor/host/certificates.ts";
import { productRooms } from "../../../lib/supervisor/room.ts";
import { startAcmeRig } from "../../support/acme/rig.ts";
import { startDnsServer } from "../../support/dns_server.ts";
import { eventually } from "../../support/eventually.ts";
import { makeFolder } from "./fixtures.ts";

const rpc = new URL("../../../lib/rpc/mod.ts", import.meta.url);

/** A room whose control interface and port's handlers are this code; `main` is what it may call. */
const roomOf = (code: string) =>
  new URL(`data:application/javascript,${
    encodeURIComponent(`
      import { connect } from ${JSON.stringify(rpc.href)};
      const ask = (permission) => Deno.permissions.query(permission).then(({ state }) => state);
      let main, given;
      const room = {
        start(args) {
          given = args;
          connect(args.port, {
            given: () => { const { port, ...rest } = given; return rest; },
            look: (domain) => main.call("lookUpChallenge", { domain }),
            can: (permission) => ask(permission),
            exit: () => Deno.exit(0),
            throw: () => void setTimeout(() => { throw new Error("thrown"); }),
          });
        },
        stop() {},
      };
      ${code}
      main = connect(self, room);
    `)
  }`);

interface Opened {
  readonly acme: Peer<Handlers>;
  readonly act: Promise<void>;
  readonly abort: AbortController;
  settled(): Promise<void>;
}

function open(env: Record<string, string> = {}, code = ""): Opened {
  const settings = readSettings({ LOG_LEVEL: "ERROR", ...env });
  const { acts, settled } = certificateHost(settings, { acme: roomOf(code) }, "");
  const { port1, port2 } = new MessageChannel();
  const abort = new AbortController();
  const act = acts.acmeRoom({ port: port2 }, { signal: abort.signal });
  act.catch(() => {}).finally(() => port1.close());
  return { acme: connect(port1), act, abort, settled };
}

async function end({ act, abort, settled }: Opened): Promise<void> {
  abort.abort(new DOMException("over", "AbortError"));
  await assert.rejects(act, { name: "AbortError", message: "over" });
  await settled();
}

Deno.test("acmeRoom opens a room that has the settings, and ends it with its call", async () => {
  const env = {
    ACME_DIRECTORY: "https://localhost:1/dir",
    CF_Token: "token",
    CF_API_URL: "https://localhost:2/v4",
  };
  const room = open(env);
  assert.deepEqual(await room.acme.call("given", undefined), {
    settings: {
      directory: "https://localhost:1/dir",
      cloudflare: { token: "token", api: "https://localhost:2/v4" },
      dnsWait: 120,
    },
    logging: { level: "ERROR", format: "text" },
  });
  await end(room);
});

Deno.test("acmeRoom grants the room the CA and the DNS provider", async () => {
  const env = { ACME_DIRECTORY: "https://ca.test:1/dir", CF_API_URL: "https://cf.test/v4" };
  const room = open(env);
  const can = (permission: Deno.PermissionDescriptor) => room.acme.call("can", permission);
  for (const host of ["ca.test:1", "cf.test:443"]) {
    assert.equal(await can({ name: "net", host }), "granted");
  }
  assert.notEqual(await can({ name: "net", host: "ca.test:2" }), "granted");
  for (const name of ["read", "write", "run", "env", "sys", "ffi"] as const) {
    assert.notEqual(await can({ name }), "granted");
  }
  await end(room);
});

Deno.test("acmeRoom: several rooms run side by side", async () => {
  const rooms = [open({ ACME_DNS_WAIT: "1" }), open({ ACME_DNS_WAIT: "2" })];
  const given = await Promise.all(rooms.map(({ acme }) => acme.call("given", undefined)));
  assert.deepEqual(
    given.map((one) => (one as { settings: { dnsWait: number } }).settings.dnsWait),
    [1, 2],
  );
  await end(rooms[0]);
  await rooms[1].acme.call("given", undefined);
  await end(rooms[1]);
});

Deno.test("acmeRoom: the room may look up a challenge, by main", async () => {
  await using server = await startDnsServer({ "_acme-challenge.example.test": { TXT: ["v"] } });
  const name = `127.0.0.1:${server.port}`;
  const room = open({ ACME_DNS_SERVERS: name });
  assert.deepEqual(await room.acme.call("look", "example.test"), [{ server: name, values: ["v"] }]);
  await assert.rejects(room.acme.call("look", "*.example.test"), { code: "VALIDATION" });
  await end(room);
});

for (const way of ["throw", "exit"]) {
  Deno.test(`acmeRoom answers ACME where the room is lost (${way})`, async () => {
    const { acme, act } = open();
    void acme.call(way, undefined).catch(() => {});
    await assert.rejects(act, { code: "ACME", message: /^The acme room is lost: / });
  });
}

Deno.test("acmeRoom answers ACME where the room does not come up", async () => {
  const { act } = open({}, "throw new Error('no start');");
  await assert.rejects(act, { code: "ACME", message: /lost: .*no start/ });
});

Deno.test("acmeRoom answers VALIDATION for a secret's file that can't be read, and for what is no port", async () => {
  await using folder = await makeFolder();
  const { act } = open({ CF_Token_FILE: `${folder.path}/absent` });
  await assert.rejects(act, { code: "VALIDATION", message: /^CF_Token_FILE=.*no such file/ });
  const { acts } = certificateHost(readSettings({}), { acme: roomOf("") }, "");
  const { signal } = new AbortController();
  await assert.rejects(acts.acmeRoom({ port: undefined as never }, { signal }), {
    code: "VALIDATION",
  });
});

Deno.test("acmeRoom: a cancelled call answers at once, the room goes on until it has tidied up", async () => {
  await using server = await startDnsServer();
  const env = { ACME_DNS_SERVERS: `127.0.0.1:${server.port}` };
  const slow = `room.stop = () => new Promise((done) => setTimeout(async () => {
    await main.call("lookUpChallenge", { domain: "tidied.test" });
    done();
  }, 1500));`;
  const room = open(env, slow);
  await room.acme.call("given", undefined);
  const begin = performance.now();
  room.abort.abort(new DOMException("over", "AbortError"));
  await assert.rejects(room.act, { name: "AbortError" });
  assert.ok(performance.now() - begin < 500);
  assert.deepEqual(server.questions, []);
  await room.settled();
  await eventually(() => server.questions.includes("TXT _acme-challenge.tidied.test"));
});

Deno.test("acmeRoom: the product's room orders a certificate, and finds its record by main's look-up", async () => {
  await using rig = await startAcmeRig();
  const settings = readSettings({ LOG_LEVEL: "ERROR", ...rig.env });
  const { acts, settled } = certificateHost(settings, productRooms, "");
  const { port1, port2 } = new MessageChannel();
  const abort = new AbortController();
  const act = acts.acmeRoom({ port: port2 }, { signal: abort.signal });
  const acme = connect<AcmeActs & Handlers>(port1);
  const account = await acme.call("account", undefined);
  const { certificates } = await acme.call("order", {
    domain: "example.test",
    wildcard: true,
    account,
  });
  assert.match(certificates, /BEGIN CERTIFICATE/);
  assert.deepEqual(rig.cloudflare.records(), []);
  abort.abort(new DOMException("over", "AbortError"));
  await assert.rejects(act, { name: "AbortError" });
  await settled();
  port1.close();
});
