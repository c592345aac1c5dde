import { equal } from "node:assert/strict";
import { settingsFrom } from "../../lib/cli/flags.ts";

Deno.test("settingsFrom reads secrets once, and leaves none in the environment", () => {
  const secrets = { CF_Token: "token", ACME_EAB_KID: "kid", ACME_EAB_HMAC_KEY: "aGV5" };
  for (const [name, value] of Object.entries(secrets)) Deno.env.set(name, value);
  const { acme } = settingsFrom({});
  const { token } = acme.cloudflare;
  equal(token && "value" in token && token.value, "token");
  for (const name of Object.keys(secrets)) equal(Deno.env.get(name), undefined, name);
});
