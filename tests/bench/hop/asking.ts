/** The room that asks: one call after the other, with what a call of a tool carries. */
import { connect, type Port } from "../../../lib/rpc/mod.ts";

const ARGS = { args: { domain: "a.test" }, caller: { transport: "http", who: "bench" } };

const scope = self as unknown as Port;
scope.onmessage = async ({ data }: MessageEvent<{ port: MessagePort; calls: number }>) => {
  const peer = connect(data.port);
  const times: number[] = [];
  for (let call = 0; call < data.calls; call++) {
    const start = performance.now();
    await peer.call("echo", ARGS, { deadlineMs: 30_000 });
    times.push(performance.now() - start);
  }
  scope.postMessage(times, []);
};
