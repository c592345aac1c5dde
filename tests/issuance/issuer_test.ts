/** What is ordered, what is left, and what becomes of an order that fails: with a CA of the test's own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { AgentError } from "../../lib/errors.ts";
import { startRenewals } from "../../lib/issuance/automatic.ts";
import { inventory } from "../../lib/issuance/inventory.ts";
import { issuer } from "../../lib/issuance/mod.ts";
import type { CertificateSource, Order } from "../../lib/issuance/source.ts";
import { fileLock } from "../../lib/state/lock.ts";
import { eventually } from "../support/eventually.ts";
import { faultProxy } from "../support/fault_proxy.ts";
import { type Issued, openPki, type Pki, served } from "../support/pki.ts";
import { openMoreTools, openTools, type ToolRig, toolsSettings } from "../support/tools.ts";

const DIRECTORY = "https://ca.test/directory";
const context = { signal: new AbortController().signal, progress() {} };

interface Rig extends AsyncDisposable {
  readonly tools: ToolRig;
  readonly pki: Pki;
  readonly orders: Order[];
  readonly source: CertificateSource;
  readonly issuer: ReturnType<typeof issuer>;
  /** What the next orders of a domain throw. */
  readonly failing: Map<string, AgentError>;
  /** What the CA says of renewal, by ARI identifier; else it has nothing to say. */
  readonly windows: Map<string, { start: string; end: string } | AgentError>;
  shown(name: string): Promise<string>;
}

async function openRig(given?: ToolRig, directory = DIRECTORY): Promise<Rig> {
  await using starting = new AsyncDisposableStack();
  const tools = starting.use(given ?? await openTools());
  const pki = starting.use(await openPki());
  const ca: Issued = await pki.issue(["CA"], { ca: true });
  const orders: Order[] = [];
  const failing: Rig["failing"] = new Map(), windows: Rig["windows"] = new Map();
  const source: CertificateSource = {
    client: "builtin",
    directory,
    async order(order) {
      orders.push(order);
      const error = failing.get(order.domain);
      if (error) throw error;
      const { domain, wildcard } = order;
      const names = wildcard ? [domain, `*.${domain}`] : [domain];
      const { key, certificate } = await pki.issue(names, { by: ca });
      return { key, certificates: certificate + ca.certificate };
    },
    check: (domain) => Promise.resolve({ zone: domain }),
    renewalInfo: (ids) =>
      Promise.resolve(
        new Map(ids.map((id) => {
          const answer = windows.get(id);
          return [
            id,
            answer === undefined || answer instanceof AgentError
              ? answer ?? null
              : { ...answer, askAgainAt: "2030-01-01T00:00:00Z" },
          ];
        })),
      ),
    forget: () => Promise.resolve(false),
  };
  const { files, paths, runtime, transactions: { certificates: changes } } = tools.context;
  const opened = issuer({
    files,
    paths,
    source,
    changes,
    inventory: inventory({ files, paths, runtime, changes, turn: (act) => act() }),
    lock: fileLock(files, paths.renewalLock, { pid: Deno.pid, room: 1 }, 5_000),
  });
  starting.defer(() => opened.close());
  const all = starting.move();
  return {
    tools,
    pki,
    orders,
    source,
    issuer: opened,
    failing,
    windows,
    shown: async (name) => (await served(tools.haproxy.options.httpsPort, name))[0],
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

const issue = (rig: Rig, domain: string, wildcard = false) =>
  rig.issuer.issue({ tool: "test", domain, wildcard }, context);
const renew = (rig: Rig, domain: string, more: { force?: boolean; automatic?: boolean } = {}) =>
  rig.issuer.renew({ tool: "test", domain, force: false, ...more }, context);
const codeOf = (promise: Promise<unknown>) =>
  promise.then((value) => assert.fail(JSON.stringify(value)), (cause) => AgentError.from(cause));
const entry = async (rig: Rig, name: string) => (await rig.issuer.inventory.one(name))!;

Deno.test("issue orders nothing where HAProxy serves one that is as good, and keeps a wildcard that there is", async () => {
  await using rig = await openRig();
  assert.equal(await issue(rig, "a.test", true), true);
  assert.equal(await issue(rig, "a.test", true), false);
  // Whoever forgets the wildcard does not lose it.
  assert.equal(await issue(rig, "a.test"), false);
  const rehearse = (domain: string, wildcard: boolean) =>
    rig.issuer.rehearseIssue({ tool: "test", domain, wildcard }, context.signal);
  assert.deepEqual(await rehearse("a.test", false), { names: ["a.test", "*.a.test"] });
  const { zone, preview } = await rehearse("b.test", false);
  assert.deepEqual([zone, preview?.files.length], ["b.test", 3]);
  assert.equal(await issue(rig, "b.test"), true);
  assert.equal(await issue(rig, "b.test", true), true);
  assert.deepEqual(rig.orders.map(({ domain, wildcard }) => [domain, wildcard]), [
    ["a.test", true],
    ["b.test", false],
    ["b.test", true],
  ]);
  assert.deepEqual((await entry(rig, "b.test")).lines.map(({ filters }) => filters), [
    ["b.test", "*.b.test"],
  ]);
});

Deno.test("issue and renew refuse to lose names, and renew what a person put there", async () => {
  await using rig = await openRig();
  const many = await rig.pki.issue(["a.test", "b.test"]);
  await Deno.writeTextFile(join(rig.tools.haproxy.root, "certs/a.test.pem"), many.pem);
  await rig.tools.call("load_cert", { domain: "a.test" });
  const lost = await codeOf(issue(rig, "a.test"));
  assert.equal(lost.code, "REFUSED");
  assert.match(lost.message, /b\.test as well: a new one would lose them/);
  const person = await codeOf(renew(rig, "a.test", { force: true }));
  assert.equal(person.code, "REFUSED");
  assert.match(person.message, /put there by a person/);
  assert.equal((await codeOf(renew(rig, "c.test"))).code, "NOT_FOUND");
  assert.deepEqual(rig.orders, []);
});

Deno.test("a PEM that can't be read is renewed for the names of its line by hand, and left alone by serve", async () => {
  await using rig = await openRig();
  await issue(rig, "a.test", true);
  const file = join(rig.tools.haproxy.root, "certs/a.test.pem");
  await Deno.writeTextFile(file, "half a fi");
  const left = await codeOf(renew(rig, "a.test", { automatic: true }));
  assert.equal(left.code, "REFUSED");
  assert.equal(rig.orders.length, 1);
  assert.equal((await renew(rig, "a.test")).renewed, true);
  assert.deepEqual([rig.orders[1].domain, rig.orders[1].wildcard], ["a.test", true]);
});

/** Due since long, by the CA's word. */
const DUE = { start: "2026-01-01T00:00:00Z", end: "2026-01-02T00:00:00Z" };

Deno.test("of several that are due one that fails stops none of the others, whatever it fails of; each is audited", async () => {
  await using rig = await openRig();
  const domains = ["a.test", "b.test", "c.test", "d.test"];
  for (const domain of domains) await issue(rig, domain);
  for (const domain of domains) {
    const { known } = await entry(rig, domain);
    rig.windows.set(known!.certificate.ariId!, DUE);
  }
  rig.failing.set(
    "a.test",
    new AgentError("ACME", "No.", { details: { retry_after: "2030-01-01T00:00:00Z" } }),
  );
  rig.failing.set("b.test", new AgentError("TIMEOUT", "The CA is silent."));
  const audited: string[] = [];
  const before = await rig.shown("c.test");
  rig.orders.length = 0;
  const renewals = startRenewals(rig.issuer, ({ domain, code }) => {
    audited.push(`${domain} ${code}`);
    return Promise.resolve();
  }, { firstMs: 1, atLeastMs: 50 });
  await eventually(() => audited.length === 4);
  // Some more looks.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await renewals.close();
  assert.deepEqual(audited, ["a.test ACME", "b.test TIMEOUT", "c.test OK", "d.test OK"]);
  assert.deepEqual(rig.orders.map(({ domain }) => domain), domains);
  assert.ok(rig.orders.every(({ replaces }) => replaces !== undefined));
  assert.notEqual(await rig.shown("c.test"), before);
  const { record: a } = await entry(rig, "a.test"), { record: b } = await entry(rig, "b.test");
  assert.deepEqual([a?.failures, a?.last?.code, b?.last?.code], [1, "ACME", "TIMEOUT"]);
  const hours = (Date.parse(b!.nextTry!) - Date.now()) / 3_600_000;
  assert.ok(hours > 0.9 && hours <= 1, `${hours} h`);
  assert.ok(Date.parse(a!.nextTry!) > Date.now() + 6 * 86_400_000, a!.nextTry);
});

Deno.test("a question about one certificate that the CA does not answer says nothing of the others", async () => {
  await using rig = await openRig();
  for (const domain of ["a.test", "b.test"]) await issue(rig, domain);
  const [a, b] = [await entry(rig, "a.test"), await entry(rig, "b.test")];
  rig.windows.set(a.known!.certificate.ariId!, new AgentError("ACME", "500."));
  rig.windows.set(b.known!.certificate.ariId!, DUE);
  const due = await rig.issuer.due([a, b], context.signal);
  assert.deepEqual([due.get("a.test")!.now, due.get("b.test")!.now], [false, true]);
  assert.equal((await renew(rig, "b.test")).renewed, true);
  assert.equal((await renew(rig, "b.test")).renewed, false);
});

Deno.test("a certificate that could not be deployed is kept for the next try of the same CA, and not where a new one is forced", async () => {
  await using tools = await openTools({ heal: false });
  await using proxy = faultProxy(tools.haproxy.options.api);
  const { haproxy } = toolsSettings(tools.haproxy);
  const behind = await openMoreTools(tools.haproxy, {
    haproxy: { ...haproxy, port: proxy.port },
    heal: false,
  });
  await using rig = await openRig(behind);
  const folder = join(tools.haproxy.root, "data/acme");
  const keptFiles = async () => {
    const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
    return entries.map(({ name }) => name).filter((name) => name.startsWith("kept-"));
  };
  const failOnce = () => {
    let once = true;
    proxy.decide = (line) => {
      const cut = once && line.startsWith("commit ssl cert");
      if (cut) once = false;
      return cut ? "cut" : "pass";
    };
  };
  failOnce();
  assert.equal((await codeOf(issue(rig, "a.test"))).code, "HAPROXY_UNREACHABLE");
  const [kept] = await keptFiles();
  assert.equal((await Deno.stat(join(folder, kept))).mode! & 0o777, 0o600);
  assert.equal(await issue(rig, "a.test"), true);
  assert.equal(rig.orders.length, 1);
  assert.deepEqual(await keptFiles(), []);

  failOnce();
  await codeOf(renew(rig, "a.test", { force: true }));
  assert.equal((await keptFiles()).length, 1);
  await renew(rig, "a.test", { force: true });
  assert.equal(rig.orders.length, 3);
  assert.deepEqual(await keptFiles(), []);

  failOnce();
  await codeOf(issue(rig, "b.test"));
  const text = await Deno.readTextFile(join(folder, (await keptFiles())[0]));
  await Deno.writeTextFile(
    join(folder, (await keptFiles())[0]),
    text.replace(DIRECTORY, "https://staging.test/directory"),
  );
  await issue(rig, "b.test");
  assert.equal(rig.orders.length, 5);

  failOnce();
  await codeOf(issue(rig, "c.test"));
  assert.deepEqual(await rig.issuer.forget("c.test"), []);
  assert.deepEqual(await keptFiles(), []);
});

Deno.test("a caller who gives up is answered at once, and close waits for what goes on behind it", async () => {
  await using rig = await openRig();
  const giveUp = new AbortController();
  let cleanedUp = false;
  const slow = { ...rig.source };
  slow.order = (_, { signal }) =>
    new Promise((_, reject) =>
      signal.addEventListener("abort", () =>
        setTimeout(() => {
          cleanedUp = true;
          reject(signal.reason);
        }, 200))
    );
  Object.assign(rig.source, { order: slow.order });
  const call = rig.issuer.issue({ tool: "test", domain: "a.test", wildcard: false }, {
    ...context,
    signal: giveUp.signal,
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  giveUp.abort(new DOMException("The client left.", "AbortError"));
  assert.equal((await codeOf(call)).code, "CANCELLED");
  assert.equal(cleanedUp, false);
  await rig.issuer.close();
  assert.equal(cleanedUp, true);
});
