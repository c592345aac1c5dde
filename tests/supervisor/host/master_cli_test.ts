import assert from "node:assert/strict";
import { askMaster, type AskOptions } from "../../../lib/supervisor/host/master_cli.ts";
import { freePort } from "../../support/ports.ts";
import { makeFolder, never } from "./fixtures.ts";

const options = (more: Partial<AskOptions> = {}) => ({ signal: never, deadlineMs: 5_000, ...more });

/** Takes connections on a port of 127.0.0.1 and leaves each to `behave`, which gets what came up to the half-close. */
function listen(behave: (connection: Deno.Conn, heard: string) => unknown, port = 0) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  const open = new Set<Deno.Conn>();
  const serving = (async () => {
    for await (const connection of listener) {
      open.add(connection);
      const buffer = new Uint8Array(100);
      let heard = "";
      for (let n; (n = await connection.read(buffer).catch(() => null)) !== null;) {
        heard += new TextDecoder().decode(buffer.subarray(0, n));
      }
      await behave(connection, heard);
    }
  })();
  return {
    address: `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
      for (const connection of open) {
        try {
          connection.close();
        } catch {
          // Closed by `behave`.
        }
      }
    },
  };
}
const say = (text: string) => async (connection: Deno.Conn) => {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  connection.close();
};

Deno.test("askMaster sends one line, says that nothing more comes, and answers all up to the end", async () => {
  let heard = "";
  await using master = listen((connection, line) => {
    heard = line;
    return say("Success=1\n--\n\n")(connection);
  });
  assert.equal(await askMaster(master.address, "reload", options()), "Success=1\n--\n\n");
  assert.equal(heard, "reload\n");
});

Deno.test("askMaster throws HAPROXY_UNREACHABLE where nobody listens", async () => {
  await using folder = await makeFolder();
  for (const address of [`127.0.0.1:${freePort()}`, `[::1]:${freePort()}`, `${folder.path}/sock`]) {
    await assert.rejects(askMaster(address, "show proc", options()), {
      code: "HAPROXY_UNREACHABLE",
      message: new RegExp(`^HAProxy's master CLI at ${RegExp.escape(address)} can't be asked: `),
    });
  }
});

Deno.test("askMaster throws HAPROXY_UNREACHABLE for a connection that ends without a word", async () => {
  await using master = listen((connection) => connection.close());
  await assert.rejects(askMaster(master.address, "reload", options()), {
    code: "HAPROXY_UNREACHABLE",
    message: /it hung up without a word\.$/,
  });
});

Deno.test("askMaster connects again within its patience: the master may be starting", async () => {
  const port = freePort();
  const asking = askMaster(`127.0.0.1:${port}`, "reload", options({ patienceMs: 5_000 }));
  await new Promise((resolve) => setTimeout(resolve, 120)); // It has been refused at least once.
  await using late = listen(say("Success=1\n"), port);
  assert.equal(await asking, "Success=1\n", late.address);
});

Deno.test("askMaster sends a command again only where that changes nothing", async () => {
  let asked = 0;
  await using master = listen((connection) => {
    asked += 1;
    return asked < 3 ? connection.close() : say("1 master 0\n")(connection);
  });
  const patient = options({ patienceMs: 3_000 });
  await assert.rejects(askMaster(master.address, "reload", patient), {
    code: "HAPROXY_UNREACHABLE",
  });
  assert.equal(asked, 1);
  const repeatable = { ...patient, repeatable: true };
  assert.equal(await askMaster(master.address, "show proc", repeatable), "1 master 0\n");
  assert.equal(asked, 3);
});

Deno.test("askMaster throws TIMEOUT where no end of the answer comes", async () => {
  await using master = listen((connection) => connection.write(new TextEncoder().encode("x")));
  await assert.rejects(askMaster(master.address, "reload", options({ deadlineMs: 100 })), {
    code: "TIMEOUT",
    message: `HAProxy's master CLI at ${master.address} did not answer within 0.1 s.`,
  });
});

Deno.test("askMaster hangs up on an answer longer than any of HAProxy's", async () => {
  await using master = listen((connection) => say("x".repeat(300_000))(connection).catch(() => {}));
  await assert.rejects(askMaster(master.address, "reload", options()), {
    code: "HAPROXY_UNREACHABLE",
    message: /it answered more than 262144 bytes\.$/,
  });
});

Deno.test("askMaster ends with its call", async () => {
  await using master = listen(() => {});
  const controller = new AbortController();
  const signal = controller.signal;
  const asking = askMaster(master.address, "reload", options({ signal }));
  controller.abort(new DOMException("gone", "AbortError"));
  await assert.rejects(asking, { name: "AbortError" });
  await assert.rejects(askMaster(master.address, "reload", options({ signal })), {
    name: "AbortError",
  });
  const refused = options({ signal: AbortSignal.timeout(150), patienceMs: 60_000 });
  await assert.rejects(
    askMaster(`127.0.0.1:${freePort()}`, "x", { ...refused, deadlineMs: 60_000 }),
    {
      name: "TimeoutError",
    },
  );
});
