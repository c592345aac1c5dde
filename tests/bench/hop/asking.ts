/** The room that asks: one call after the other, with what a call of a tool carries. */
import { connect } from "../../../lib/rpc/mod.ts";

const ARGS = { args: { domain: "a.test" }, caller: { transport: "http", who: "bench" } };

addEventListener(
  "message",
  async ({ data }: MessageEvent<{ port: MessagePort; calls: number }>) => {
    const peer = connect(data.port);
    const times: number[] = [];
    for (let call = 0; call < data.calls; call++) {
      const start = performance.now();
      await peer.call("echo", ARGS, { deadlineMs: 30_000 });
      times.push(performance.now() - start);
    }
    (self as unknown as { postMessage(message: unknown): void }).postMessage(times);
  },
);
