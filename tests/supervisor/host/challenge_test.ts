import assert from "node:assert/strict";
import { challengeLookUp } from "../../../lib/supervisor/host/challenge.ts";
import { type Resolve, resolveDns } from "../../../lib/supervisor/host/dns.ts";
import { type DnsServer, startDnsServer } from "../../support/dns_server.ts";
import { call } from "./fixtures.ts";

const address = ({ ipAddr, port }: DnsServer) =>
  ipAddr.includes(":") ? `[${ipAddr}]:${port}` : `${ipAddr}:${port}`;
const txt = (...TXT: (string | readonly string[])[]) => ({
  "_acme-challenge.example.test": { TXT },
});
const asked = (servers: readonly DnsServer[]) =>
  challengeLookUp({ dnsServers: servers.map(address) });
const domain = "example.test";

/** A resolver of this machine, and zone servers that are asked at port 53 of their addresses. */
function internet(system: DnsServer, ...zone: readonly DnsServer[]) {
  const resolve: Resolve = (name, type, server, signal) => {
    const real = server === undefined
      ? system
      : zone.find(({ ipAddr }) => ipAddr === server.ipAddr);
    assert.ok(server === undefined || server.port === 53);
    assert.ok(real, `somebody asked ${server?.ipAddr}`);
    return resolveDns(name, type, real, signal);
  };
  return challengeLookUp({ dnsServers: [] }, resolve);
}

Deno.test("lookUpChallenge asks exactly the servers of ACME_DNS_SERVERS, for nothing but the TXT record", async () => {
  await using one = await startDnsServer(txt("first", ["sec", "ond"]));
  await using two = await startDnsServer({}, "127.0.0.2");
  await using six = await startDnsServer(txt("six"), "::1");
  assert.deepEqual(await asked([one, two, six])({ domain: "EXAMPLE.test." }, call), [
    { server: address(one), values: ["first", "second"] },
    { server: address(two), values: [] },
    { server: address(six), values: ["six"] },
  ]);
  for (const { questions } of [one, two, six]) {
    assert.deepEqual(questions, ["TXT _acme-challenge.example.test"]);
  }
});

Deno.test("lookUpChallenge finds no value where the name is there without a TXT record", async () => {
  await using server = await startDnsServer({ "_acme-challenge.example.test": {} });
  assert.deepEqual(await asked([server])({ domain }, call), [
    { server: address(server), values: [] },
  ]);
});

Deno.test("lookUpChallenge asks anew each time", async () => {
  await using server = await startDnsServer(txt("old"));
  const look = asked([server]);
  await look({ domain }, call);
  server.records = txt("new");
  assert.deepEqual((await look({ domain }, call))[0].values, ["new"]);
});

Deno.test("lookUpChallenge says which server does not answer, within 6 s, and what the others have", async () => {
  await using one = await startDnsServer(txt("here"));
  await using two = await startDnsServer({}, "127.0.0.2");
  two.mute = true;
  const begin = performance.now();
  assert.deepEqual(await asked([one, two])({ domain }, call), [
    { server: address(one), values: ["here"] },
    { server: address(two), values: [], problem: "it does not answer" },
  ]);
  assert.ok(performance.now() - begin < 6_000);
});

Deno.test("lookUpChallenge ends when its call is cancelled", async () => {
  await using server = await startDnsServer();
  server.mute = true;
  const controller = new AbortController();
  const looking = asked([server])({ domain }, { signal: controller.signal });
  setTimeout(() => controller.abort(new DOMException("gone", "AbortError")), 100);
  await assert.rejects(looking, { name: "AbortError" });
});

Deno.test("lookUpChallenge keeps what a challenge may be: printable ASCII of 255 characters, 64 values", async () => {
  const strange = ["caf\xe9", "a\nb", "\0", ["x".repeat(255), "y"], "tab\t"];
  await using server = await startDnsServer(txt("good", ...strange, "x".repeat(255)));
  const look = asked([server]);
  assert.deepEqual((await look({ domain }, call))[0].values, ["good", "x".repeat(255)]);
  server.records = txt(...Array.from({ length: 70 }, () => "x"));
  assert.equal((await look({ domain }, call))[0].values.length, 64);
});

Deno.test("lookUpChallenge refuses what is no plain domain, and asks nobody", async () => {
  await using server = await startDnsServer();
  const look = asked([server]);
  for (const bad of ["*.example.test", "example", "a b.test", "", undefined, 7, {}, "1.2.3.4"]) {
    await assert.rejects(look({ domain: bad as string }, call), { code: "VALIDATION" });
  }
  assert.deepEqual(server.questions, []);
});

Deno.test("lookUpChallenge asks the servers of the innermost zone, each at one address, IPv4 where it has one", async () => {
  await using system = await startDnsServer({
    "test": { NS: ["ns.nic.test"] },
    "example.test": { NS: ["one.ns.test", "two.ns.test", "three.ns.test"] },
    "one.ns.test": { A: ["127.0.0.2", "127.0.0.9"], AAAA: ["::2"] },
    "two.ns.test": { AAAA: ["::1"] },
    "three.ns.test": {},
  });
  const record = { "_acme-challenge.www.shop.example.test": { TXT: ["seen"] } };
  await using one = await startDnsServer(record, "127.0.0.2");
  await using two = await startDnsServer({}, "::1");
  const look = internet(system, one, two);
  assert.deepEqual(await look({ domain: "www.shop.example.test" }, call), [
    { server: "one.ns.test (127.0.0.2)", values: ["seen"] },
    { server: "two.ns.test (::1)", values: [] },
  ]);
  const zones = system.questions.filter((question) => question.startsWith("NS "));
  assert.deepEqual(zones, ["NS www.shop.example.test", "NS shop.example.test", "NS example.test"]);
  // A second later: the servers are known.
  const before = system.questions.length;
  await look({ domain: "www.shop.example.test" }, call);
  assert.equal(system.questions.length, before);
  assert.equal(one.questions.length, 2);
});

Deno.test("lookUpChallenge asks eight servers at most", async () => {
  const names = Array.from({ length: 12 }, (_, index) => `ns${index}.test`);
  await using system = await startDnsServer({
    "example.test": { NS: names },
    ...Object.fromEntries(names.map((name) => [name, { A: ["127.0.0.2"] }])),
  });
  await using server = await startDnsServer({}, "127.0.0.2");
  assert.equal((await internet(system, server)({ domain }, call)).length, 8);
  assert.equal(server.questions.length, 8);
});

Deno.test("lookUpChallenge answers ACME where no server is found, and names ACME_DNS_SERVERS", async () => {
  await using system = await startDnsServer();
  const refusal = (message: RegExp) => ({ code: "ACME", message, hint: /ACME_DNS_SERVERS/ });
  const look = internet(system);
  const deep = { domain: "a.example.test" };
  await assert.rejects(
    look(deep, call),
    refusal(
      /^The DNS servers of a\.example\.test .* no NS record at a\.example\.test, example\.test\.$/,
    ),
  );
  assert.deepEqual(system.questions, ["NS a.example.test", "NS example.test"]);
  system.records = { "example.test": { NS: ["ns.test"] } };
  await assert.rejects(
    look({ domain }, call),
    refusal(/no name server of example\.test has an addr/),
  );
  system.mute = true;
  await assert.rejects(
    look({ domain }, call),
    refusal(/resolver.* it does not answer\.$/),
  );
});
