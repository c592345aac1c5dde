import assert from "node:assert/strict";
import type { AgentError } from "../../lib/errors.ts";
import { setCertificate, showInfo, showMaps } from "../../lib/runtime/commands.ts";
import {
  type ConverseOptions,
  type RuntimeAddress,
  runtimeClient,
} from "../../lib/runtime/connection.ts";
import { closesAtOnce, obeys, says, silent, startFakeRuntime } from "../support/fake_runtime.ts";
import { freePort } from "../support/ports.ts";

const SHORT = { deadlineMs: 100 };

async function unreachable(
  address: RuntimeAddress,
  why: RegExp,
  options: ConverseOptions = {},
): Promise<void> {
  const ask = runtimeClient(address).converse((talk) => talk.exchange([showInfo()]), options);
  await assert.rejects(ask, (error: AgentError) => {
    assert.equal(error.code, "HAPROXY_UNREACHABLE", String(error));
    assert.ok(error.message.includes(`${address.host}:${address.port}`), error.message);
    assert.match(error.message, why);
    assert.ok(error.hint);
    return true;
  });
}

Deno.test("a port where nobody listens is HAPROXY_UNREACHABLE", () =>
  unreachable({ host: "127.0.0.1", port: freePort() }, /can't be reached/));

for (
  const [what, behaviour, why] of [
    ["accepts and stays silent", silent, /did not answer within 0\.1 s/],
    ["closes at once", closesAtOnce, /broke off/],
    [
      "closes in the middle of a reply",
      says("\n\nName: HAProxy\nVers"),
      /broke off .*Name: HAProxy/s,
    ],
    ["closes within the greeting", says("\n"), /broke off/],
    ["is an HTTP server", says("HTTP/1.1 400 Bad Request\r\n\r\n"), /is not HAProxy/],
    ["answers bytes that are no text", says("\u0000\u00ff\ufffd"), /is not HAProxy/],
    ["answers less than it was asked", says("\n\n"), /broke off/],
  ] as const
) {
  Deno.test(`a server that ${what} is HAPROXY_UNREACHABLE`, async () => {
    await using fake = startFakeRuntime(behaviour);
    await unreachable(fake, why, SHORT);
  });
}

for (const [version, prompt] of [["3.0", "> "], ["3.2", ""]]) {
  Deno.test(`a server that answers byte by byte, as ${version} frames it, is understood`, async () => {
    const replies = ["", "", "Name: HAProxy\nPid: 5\n", ""];
    await using fake = startFakeRuntime(
      says(replies.map((reply) => `${reply}\n${prompt}`).join(""), { byByte: true }),
    );
    const answers = await runtimeClient(fake).converse((talk) =>
      talk.exchange([showInfo(), showMaps()])
    );
    assert.deepEqual(answers, [{ ok: true, text: "Name: HAProxy\nPid: 5" }, {
      ok: true,
      text: "",
    }]);
  });
}

Deno.test("at most four conversations are open at once, and none of forty is lost", async () => {
  const full = Promise.withResolvers<void>();
  await using fake = startFakeRuntime(obeys(() => full.promise));
  const client = runtimeClient(fake);
  let open = 0, most = 0;
  const answers = await Promise.all(
    Array.from({ length: 40 }, () =>
      client.converse(async (talk) => {
        most = Math.max(most, ++open);
        if (open === 4) full.resolve();
        const [reply] = await talk.exchange([showInfo()]);
        open--;
        return reply.ok;
      })),
  );
  assert.deepEqual(answers, Array(40).fill(true));
  assert.deepEqual([fake.accepted, most], [40, 4]);
});

Deno.test("conversations that fail give their places back", async () => {
  await using fake = startFakeRuntime(closesAtOnce);
  const client = runtimeClient(fake);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, () => client.converse((talk) => talk.exchange([showInfo()]))),
  );
  assert.ok(outcomes.every(({ status }) => status === "rejected"));
  assert.equal(fake.accepted, 20);
});

Deno.test("a signal ends a conversation, with its reason", async () => {
  await using fake = startFakeRuntime(silent);
  const cancel = new AbortController();
  const ask = runtimeClient(fake).converse((talk) => {
    queueMicrotask(() => cancel.abort(new RangeError("enough")));
    return talk.exchange([showInfo()]);
  }, { signal: cancel.signal });
  await assert.rejects(ask, new RangeError("enough"));
  await assert.rejects(
    runtimeClient(fake).converse(() => Promise.resolve(), { signal: cancel.signal }),
    new RangeError("enough"),
  );
});

Deno.test("a signal and the deadline end a conversation that still waits for a place", async () => {
  await using fake = startFakeRuntime(silent);
  const client = runtimeClient(fake);
  const stop = new AbortController();
  const ask = (options: ConverseOptions) =>
    client.converse((talk) => talk.exchange([showInfo()]), options);
  const taken = Promise.allSettled(
    Array.from({ length: 4 }, () => ask({ signal: stop.signal, deadlineMs: 60_000 })),
  );
  const cancel = new AbortController();
  const cancelled = assert.rejects(
    ask({ signal: cancel.signal, deadlineMs: 60_000 }),
    new RangeError("enough"),
  );
  cancel.abort(new RangeError("enough"));
  await cancelled;
  await assert.rejects(ask(SHORT), { code: "HAPROXY_UNREACHABLE" });
  stop.abort();
  await taken;
  assert.equal(fake.accepted, 4);
});

Deno.test("what the caller throws in a conversation is the caller's, and not HAProxy's fault", async () => {
  await using fake = startFakeRuntime(obeys());
  const client = runtimeClient(fake);
  for (const error of [new TypeError("a fault of ours"), new RangeError("another")]) {
    await assert.rejects(client.converse(() => Promise.reject(error)), error);
  }
});

Deno.test("an exchange of no commands sends nothing", async () => {
  await using fake = startFakeRuntime(silent);
  assert.deepEqual(await runtimeClient(fake).converse((talk) => talk.exchange([])), []);
});

Deno.test("a reply that quotes a line of a payload reaches nobody with it", async () => {
  const secret = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/+abcdefghijklm==";
  const pem = `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`;
  await using fake = startFakeRuntime(
    says(
      `\n\n[3]: Can't load '${secret}' from '/opt/haproxy/certs/a.pem'.\n\n[6]: Unknown command: '${secret}'\n\n`,
    ),
  );
  const replies = await runtimeClient(fake).converse((talk) =>
    talk.exchange([setCertificate("/opt/haproxy/certs/a.pem", pem), showInfo()])
  );
  assert.deepEqual(replies, [
    { ok: false, message: "Can't load '…' from '/opt/haproxy/certs/a.pem'." },
    { ok: false, message: "Unknown command: '…'" },
  ]);
});
