/** A process that serves MCP on stdin and stdout: the front room in its worker, fixtures here. */
import { readSettings } from "../../lib/config.ts";
import type { FrontActs, FrontRoom } from "../../lib/front/room.ts";
import { connect } from "../../lib/rpc/mod.ts";
import { DEFINITIONS, openFixtureTools, RESOURCES } from "./fixtures.ts";

const worker = new Worker(new URL("../../lib/front/worker.ts", import.meta.url), {
  type: "module",
  deno: { permissions: "none" },
});
const acts: FrontActs = { stdinEnded: () => Deno.exit(0), toolsDeaf() {} };
const front = connect<FrontRoom>(worker, acts);
const tools = openFixtureTools();
tools.serve();
await front.call("attach", { port: tools.port }, { transfer: [tools.port] });
const { front: settings, logging } = readSettings({});
await front.call("serveStdio", {
  settings,
  logging,
  definitions: DEFINITIONS,
  resources: RESOURCES,
});
