/** A look at the CA and the DNS provider: nothing is ordered, and what is wrong is the answer. */
import assert from "node:assert/strict";
import { startAcmeRig } from "../../support/acme/rig.ts";
import { openBeside } from "./beside.ts";

Deno.test("look tells the CA's clock, that the token is taken, and the zones of the domains that are named", async () => {
  await using rig = await startAcmeRig({ eab: true });
  await using beside = await openBeside(rig);
  const { ca, dns } = await beside.acts.call("look", { domains: [], registered: false });
  assert.ok("value" in ca && Math.abs(ca.value.clockAhead!) < 10_000, JSON.stringify(ca));
  assert.deepEqual(dns, { value: { zones: [] } });
  const domains = ["a.example.test", "b.example.test", "other.test"];
  const named = await beside.acts.call("look", { domains, registered: false });
  assert.deepEqual(named.dns, { value: { zones: ["example.test", "other.test"] } });
  assert.ok(rig.cloudflare.log().every(({ method }) => method === "GET"));
});

Deno.test("look tries a token that may see one zone alone by that zone", async () => {
  await using rig = await startAcmeRig();
  const zoneId = rig.cloudflare.zoneId("example.test");
  await using beside = await openBeside(rig, { cloudflare: { zoneId } });
  const { dns } = await beside.acts.call("look", { domains: [], registered: false });
  assert.ok("value" in dns);
  assert.deepEqual(rig.cloudflare.log().map(({ path }) => path), [`/zones/${zoneId}`]);
});

Deno.test("look says what the CA and the DNS provider lack, each for itself", async () => {
  await using rig = await startAcmeRig({ eab: true });
  const settings = { eab: undefined };
  await using beside = await openBeside(rig, { settings, cloudflare: { token: "wrong" } });
  const { ca, dns } = await beside.acts.call("look", { domains: [], registered: false });
  assert.ok("error" in ca && "error" in dns);
  assert.match(ca.error.message, /wants External Account Binding/);
  assert.match(dns.error.message, /Cloudflare did not take CF_Token/);
  const registered = await beside.acts.call("look", { domains: [], registered: true });
  assert.ok("value" in registered.ca, "who has an account needs no binding");
  await using without = await openBeside(rig, { cloudflare: { token: undefined } });
  const none = await without.acts.call("look", { domains: [], registered: false });
  assert.ok("error" in none.dns && /There is no CF_Token/.test(none.dns.error.message));
});
