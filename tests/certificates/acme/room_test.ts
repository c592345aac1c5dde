import assert from "node:assert/strict";
import { openAcmeRoom } from "../../../lib/certificates/acme/room.ts";
import type { AcmeRoom } from "../../../lib/certificates/acme/room.ts";
import type { AcmeActs, StartAcmeRoom } from "../../../lib/certificates/acme/acts.ts";
import { AgentError } from "../../../lib/errors.ts";
import { connect, type Handlers } from "../../../lib/rpc/mod.ts";
import { openRoom } from "../../../lib/supervisor/room.ts";
import { lookUpTxt } from "../../support/acme/pebble.ts";
import { startAcmeRig } from "../../support/acme/rig.ts";
import { assertNoKey } from "../../support/pki.ts";
import { openBeside } from "./beside.ts";

Deno.test("the acme room reaches the CA and the DNS provider, and no other port, file, program or variable", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  await beside.order({ domain: "example.test" });

  const stranger = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = stranger.addr as Deno.NetAddr;
  const room = openRoom<{ attempt(urls: string[]): Promise<Record<string, string>> }>({
    name: "acme",
    entry: new URL("./escaping_worker.ts", import.meta.url),
    grants: { net: [rig.directory, rig.cloudflare.api].map((url) => new URL(url).host) },
    handlers: {},
    onLost: () => {},
  });
  try {
    const outcomes = await room.peer.call("attempt", [
      rig.directory,
      `https://localhost:${port}/`,
      `https://127.0.0.1:${new URL(rig.directory).port}/`,
    ]);
    assert.deepEqual(Object.values(outcomes), [
      "TypeError",
      "NotCapable",
      "NotCapable",
      "NotCapable",
      "NotCapable",
      "NotCapable",
    ]);
  } finally {
    room.end(new AgentError("INTERNAL", "The test is over."));
    stranger.close();
  }
});

Deno.test("the acme room writes no secret, at any level", async () => {
  await using rig = await startAcmeRig({ eab: true, faults: true, nonceReject: 20 });
  const lines: string[] = [];
  const { error, log, warn, info, debug } = console;
  const record = (...words: unknown[]) => void lines.push(words.join(" "));
  Object.assign(console, { error: record, log: record, warn: record, info: record, debug: record });
  const control = new MessageChannel(), calls = new MessageChannel();
  try {
    openAcmeRoom(control.port1);
    let blind = true;
    const main = connect<AcmeRoom & Handlers>(control.port2, {
      async lookUpChallenge({ domain }: { readonly domain: string }) {
        if (blind) return [];
        const values = await lookUpTxt(rig.dnsServer, `_acme-challenge.${domain}`);
        return [{ server: rig.dnsServer, values: values.flat() }];
      },
    });
    const acts = connect<AcmeActs & Handlers>(calls.port1);
    const start: StartAcmeRoom = {
      logging: { level: "DEBUG", format: "text" },
      port: calls.port2,
      settings: {
        directory: rig.directory,
        caPem: rig.caPem,
        eab: rig.eab,
        dnsWait: 1,
        cloudflare: { token: rig.cloudflare.token, api: rig.cloudflare.api },
      },
    };
    await main.call("start", start, { transfer: [calls.port2] });
    const account = await acts.call("account", undefined);
    const order = { domain: "example.test", wildcard: true, account };
    const ordered = await acts.call("order", order);
    blind = false;
    const said = `${rig.cloudflare.token} ${rig.eab!.hmacKey}`;
    for (const match of ["GET /dir", "order-plz", "sign-me-up", "chalZ", "finalize-order"]) {
      rig.ca.failNext({ status: 400, match, body: { type: "about:blank", detail: said } });
      await (match === "sign-me-up" ? acts.call("account", undefined) : acts.call("order", order))
        .catch(() => {});
    }
    rig.ca.failNext({ status: 200, match: "GET /dir", body: said });
    await acts.call("account", undefined).catch(() => {});
    rig.cloudflare.failNext({ status: 403, match: "DELETE", times: 6 });
    await acts.call("order", order).catch(() => {});
    await main.call("stop", undefined);

    const text = lines.join("\n");
    assert.match(text, /acme: No server of example\.test can be asked/);
    assert.match(text, /acme: The TXT record _acme-challenge\.example\.test of the zone/);
    for (const secret of [rig.cloudflare.token, rig.eab!.hmacKey]) {
      assert.ok(!text.includes(secret), text);
    }
    assertNoKey(text, account.key, ordered.key);
    assert.ok(lines.every((line) => /^\d{4}-\S+ [A-Z]+ acme: /.test(line)), text);
  } finally {
    Object.assign(console, { error, log, warn, info, debug });
    for (const { port1, port2 } of [control, calls]) {
      port1.close();
      port2.close();
    }
  }
});
