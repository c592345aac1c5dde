/**
 * Two rooms, each a worker, and calls from one to the other as front sends them to tools. Prints each
 * call's milliseconds as JSON: from the call to its answer, which is two hops of a message.
 *
 * Usage: main.ts CALLS
 */
const options = { type: "module" } as const;
const asking = new Worker(new URL("./asking.ts", import.meta.url).href, options);
const answering = new Worker(new URL("./answering.ts", import.meta.url).href, options);
const { port1, port2 } = new MessageChannel();
answering.postMessage(port2, [port2]);
asking.onmessage = ({ data }) => {
  console.log(JSON.stringify(data));
  asking.terminate();
  answering.terminate();
};
asking.postMessage({ port: port1, calls: Number(Deno.args[0]) }, [port1]);
