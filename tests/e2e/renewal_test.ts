/** `serve` renews by itself: when the CA says so, else by the certificate's age; one agent at a time, and less often after a failure. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type AcmeRig, type AcmeRigOptions, startAcmeRig } from "../support/acme/rig.ts";
import { type Serve, startServe, testExecutable } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { type Haproxy, startHaproxy } from "../support/haproxy.ts";
import { served } from "../support/pki.ts";

const HOST = "example.test";

interface Issued extends AsyncDisposable {
  readonly rig: AcmeRig;
  readonly haproxy: Haproxy;
  /** Another serve on the same root, which looks for due certificates at once. */
  serve(env?: Record<string, string>): Promise<Serve>;
  fingerprint(): Promise<string>;
  pem(): Promise<string>;
  /** What the CA was asked to order so far. */
  orders(): number;
}

/** A certificate that was just issued, with nobody there to renew it. */
async function issued(options: AcmeRigOptions = {}): Promise<Issued> {
  await using starting = new AsyncDisposableStack();
  const rig = starting.use(await startAcmeRig({ ...options, faults: true }));
  const haproxy = starting.use(await startHaproxy({ pools: 1, slots: 1 }));
  const env = { ...rig.env, MCP_AUTO_RENEW: "false" };
  await using first = await startServe(haproxy, { env, program: testExecutable() });
  const caller = await first.connect();
  await caller.call("issue_cert", { domain: HOST, wildcard: true });
  const all = starting.move();
  return {
    rig,
    haproxy,
    async serve(more) {
      const agent = await startServe(haproxy, {
        env: { ...rig.env, ...more },
        program: testExecutable(),
      });
      all.use(agent);
      return agent;
    },
    fingerprint: async () => (await served(haproxy.options.httpsPort, HOST))[0],
    pem: () => Deno.readTextFile(join(haproxy.root, `certs/${HOST}.pem`)),
    orders: () => rig.ca.log().filter((at) => at === "POST /order-plz").length,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

const certificateOf = (pem: string) => pem.slice(pem.indexOf("-----BEGIN CERTIFICATE"));
const due = { suggestedWindow: { start: "2026-01-01T00:00:00Z", end: "2026-01-02T00:00:00Z" } };

async function entry(agent: Serve) {
  const caller = await agent.connect();
  const { structured } = await caller.call("list_certs");
  const entries = structured.certificates as Record<string, unknown>[];
  return entries.find(({ domain }) => domain === HOST)!;
}

Deno.test("a certificate that the CA wants renewed is renewed, once, though two agents look at the same time", async () => {
  await using site = await issued();
  const { rig } = site;
  const before = await site.fingerprint();
  await rig.setRenewalInfo(certificateOf(await site.pem()), due);
  const [one, two] = await Promise.all([site.serve(), site.serve()]);
  await eventually(async () => await site.fingerprint() !== before);
  await eventually(() => /was renewed: due since/.test(one.log() + two.log()));
  const { renewal_due, last_result, loaded, renewed_by } = await entry(one);
  assert.deepEqual([renewal_due, loaded, renewed_by], [false, true, "builtin"]);
  assert.equal((last_result as { code: string }).code, "OK");
  // Some more looks of both.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  assert.equal(site.orders(), 2);
  assert.deepEqual(rig.cloudflare.records(), []);
  assert.equal((one.log() + two.log()).match(/was renewed/g)?.length, 1);
});

Deno.test("a renewal that fails is logged, shown, and waited with; the old certificate is served", async () => {
  await using site = await issued();
  const { rig } = site;
  const before = await site.fingerprint();
  await rig.setRenewalInfo(certificateOf(await site.pem()), due);
  const agent = await site.serve({ CF_Token: "no-such-token" });
  await eventually(() => /could not be renewed: .*CF_Token/.test(agent.log()));
  const { renewal_due, last_result, next_try, loaded } = await entry(agent);
  assert.deepEqual([renewal_due, loaded], [true, true]);
  const { code, message } = last_result as { code: string; message: string };
  assert.equal(code, "ACME");
  assert.match(message, /CF_Token/);
  const wait = Date.parse(next_try as string) - Date.now();
  assert.ok(wait > 55 * 60_000 && wait <= 60 * 60_000, `${wait} ms`);
  const caller = await agent.connect();
  const health = await caller.call("health");
  assert.equal(health.structured.status, "degraded");
  assert.match(health.text, /certificates +degraded +example\.test could not be renewed at /);
  assert.equal(await site.fingerprint(), before);
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  assert.equal(agent.log().match(/could not be renewed/g)?.length, 1);

  // By hand it is not waited with.
  const right = await site.serve({ MCP_AUTO_RENEW: "false" });
  const hand = await right.connect();
  const all = await hand.call("renew_all_certs");
  assert.deepEqual((all.structured.renewed as { domain: string }[]).map(({ domain }) => domain), [
    HOST,
  ]);
  assert.notEqual(await site.fingerprint(), before);
  assert.equal((await hand.call("health")).structured.status, "healthy");
});

Deno.test("without the CA's word a short certificate is renewed at half of its life", async () => {
  await using site = await issued({ pebble: "2.4", validity: 20 });
  const agent = await site.serve();
  const before = await site.fingerprint();
  const { not_after, renewal_at } = await entry(agent);
  const left = Date.parse(not_after as string) - Date.parse(renewal_at as string);
  assert.ok(Math.abs(left - 10_000) <= 1_000, `${left} ms before its end`);
  await eventually(async () => await site.fingerprint() !== before, 20_000);
  await eventually(() => /was renewed: due since .*: it is valid until/.test(agent.log()));
});

Deno.test("with MCP_AUTO_RENEW=false nothing is renewed by itself", async () => {
  await using site = await issued();
  await site.rig.setRenewalInfo(certificateOf(await site.pem()), due);
  await site.serve({ MCP_AUTO_RENEW: "false" });
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  assert.equal(site.orders(), 1);
});
