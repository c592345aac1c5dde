import assert from "node:assert/strict";
import { AgentError } from "../../lib/errors.ts";
import {
  connect,
  GRACE_MS,
  type Handlers,
  LostError,
  type Peer,
  type Port,
} from "../../lib/rpc/mod.ts";

interface Link extends Disposable {
  readonly peer: Peer<Handlers>;
  /** The end that has the handlers. */
  readonly remote: Peer<Handlers>;
}

function link(handlers: Handlers): Link {
  const { port1, port2 } = new MessageChannel();
  const remote = connect<Handlers>(port2, handlers);
  return {
    peer: connect(port1),
    remote,
    [Symbol.dispose]() {
      port1.close();
      port2.close();
    },
  };
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const never = () => new Promise<never>(() => {});
const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });

async function errorOf(call: Promise<unknown>): Promise<AgentError> {
  return await call.then(
    () => assert.fail("It should have been refused."),
    (cause) => {
      assert.ok(cause instanceof AgentError);
      return cause;
    },
  );
}

Deno.test("call answers what the handler returns", async () => {
  using wire = link({ double: (n: number) => Promise.resolve(2 * n) });
  assert.equal(await wire.peer.call("double", 21), 42);
});

Deno.test("call rejects with the handler's AgentError: code, message, hint, details", async () => {
  const refusal = { code: "CONFLICT", message: "It exists.", hint: "Wait.", details: { n: 1 } };
  using wire = link({
    refuse() {
      throw AgentError.fromData({ ...refusal, code: "CONFLICT" });
    },
  });
  assert.deepEqual((await errorOf(wire.peer.call("refuse", 0))).toData(), refusal);
});

Deno.test("call of a name that is no handler is NOT_FOUND, an inherited one too", async () => {
  using wire = link({});
  for (const name of ["nothing", "toString", "__proto__"]) {
    assert.equal((await errorOf(wire.peer.call(name, 0))).code, "NOT_FOUND");
  }
});

Deno.test("an answer that can't be cloned is INTERNAL, not silence", async () => {
  using wire = link({ leak: () => () => {} });
  assert.equal((await errorOf(wire.peer.call("leak", 0))).code, "INTERNAL");
});

Deno.test("progress comes in order, and before the answer", async () => {
  using wire = link({
    count(_: unknown, { progress }) {
      for (const n of [1, 2, 3]) progress({ progress: n, total: 3 });
      return "done";
    },
  });
  const seen: unknown[] = [];
  const answer = await wire.peer.call("count", 0, { onProgress: (p) => seen.push(p.progress) });
  assert.deepEqual([...seen, answer], [1, 2, 3, "done"]);
});

Deno.test("an abort reaches the handler with its reason", async () => {
  using wire = link({ wait: (_: unknown, { signal }) => aborted(signal) });
  const cancel = new AbortController();
  const call = wire.peer.call("wait", 0, { signal: cancel.signal });
  cancel.abort(new DOMException("The client left.", "AbortError"));
  const { code, message } = await errorOf(call);
  assert.deepEqual([code, message], ["CANCELLED", "The client left."]);
});

Deno.test("a signal that was aborted before the call cancels it", async () => {
  using wire = link({ wait: (_: unknown, { signal }) => aborted(signal) });
  const call = wire.peer.call("wait", 0, { signal: AbortSignal.abort() });
  assert.equal((await errorOf(call)).code, "CANCELLED");
});

Deno.test("a signal that aborts after the answer finds nobody", async () => {
  using wire = link({ now: () => "answer" });
  const cancel = new AbortController();
  await wire.peer.call("now", 0, { signal: cancel.signal, onDeaf: () => assert.fail("deaf") });
  cancel.abort();
  await pause(GRACE_MS + 100);
});

Deno.test("a deadline aborts the handler, which has its say", async () => {
  using wire = link({ wait: (_: unknown, { signal }) => aborted(signal) });
  const { code, message } = await errorOf(wire.peer.call("wait", 0, { deadlineMs: 20 }));
  assert.deepEqual([code, message], ["TIMEOUT", "20 ms passed"]);
});

Deno.test("a handler that ignores its abort: OUTCOME_UNKNOWN after the grace, and onDeaf", async () => {
  using wire = link({ deaf: never });
  let deaf = 0;
  const sentAt = performance.now();
  const call = wire.peer.call("deaf", 0, { deadlineMs: 20, onDeaf: () => deaf++ });
  assert.equal((await errorOf(call)).code, "OUTCOME_UNKNOWN");
  assert.ok(performance.now() - sentAt >= GRACE_MS);
  assert.equal(deaf, 1);
});

Deno.test("close rejects open calls with LostError, which says whether the handler had begun", async () => {
  using wire = link({ wait: never });
  const begun = errorOf(wire.peer.call("wait", 0));
  await pause(50);
  const waiting = errorOf(wire.peer.call("wait", 0));
  wire.peer.close(new AgentError("OUTCOME_UNKNOWN", "The room is lost."));
  const after = errorOf(wire.peer.call("wait", 0));
  const started = await Promise.all([begun, waiting, after].map(async (error) => {
    const lost = await error;
    assert.ok(lost instanceof LostError);
    assert.equal(lost.message, "The room is lost.");
    return lost.started;
  }));
  assert.deepEqual(started, [true, false, false]);
});

Deno.test("a harmless call costs two messages: that it has begun is not told", async () => {
  const { port1, port2 } = new MessageChannel();
  connect(port2, { double: (n: number) => 2 * n });
  const kinds: string[] = [];
  const watched: Port = {
    postMessage(message, transfer) {
      kinds.push((message as { t: string }).t);
      port1.postMessage(message, transfer);
    },
    set onmessage(handle: ((event: MessageEvent) => void) | null) {
      port1.onmessage = (event) => {
        kinds.push(event.data.t);
        handle?.(event);
      };
    },
  };
  const peer = connect<Handlers>(watched);
  assert.equal(await peer.call("double", 4, { harmless: true }), 8);
  assert.equal(await peer.call("double", 5), 10);
  assert.deepEqual(kinds, ["call", "ok", "call", "started", "ok"]);
  port1.close();
  port2.close();
});

Deno.test("close aborts the handlers that run for the other end", async () => {
  let reason: unknown;
  using wire = link({
    wait: (_: unknown, { signal }) =>
      aborted(signal).catch((cause) => {
        reason = cause;
      }),
  });
  const call = errorOf(wire.peer.call("wait", 0));
  await pause(50);
  const why = new AgentError("INTERNAL", "The room ends.");
  wire.remote.close(why);
  await pause(50);
  assert.equal(reason, why);
  wire.peer.close(why);
  await call;
});

Deno.test("a late answer of a closed peer is ignored", async () => {
  using wire = link({ slow: () => pause(50) });
  const call = errorOf(wire.peer.call("slow", 0));
  wire.peer.close(new AgentError("INTERNAL", "The room is lost."));
  assert.equal((await call).message, "The room is lost.");
  await pause(100);
});

Deno.test("ping answers true while the other end's event loop turns, false after the timeout", async () => {
  using wire = link({ wait: never });
  void wire.peer.call("wait", 0);
  assert.equal(await wire.peer.ping(1_000), true);
  const { port1, port2 } = new MessageChannel();
  assert.equal(await connect(port1).ping(50), false);
  port1.close();
  port2.close();
});

Deno.test("calls posted before the other end listens wait in the port", async () => {
  const { port1, port2 } = new MessageChannel();
  const call = connect<Handlers>(port1).call("double", 4);
  await pause(50);
  connect(port2, { double: (n: number) => 2 * n });
  assert.equal(await call, 8);
  port1.close();
  port2.close();
});
