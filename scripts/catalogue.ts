/**
 * Prints what a bundled tools room offers, as JSON: compile.sh puts it beside the bundle.
 *
 * Usage: catalogue.ts BUNDLE
 */
import { pathToFileURL } from "node:url";
import { connect } from "../lib/rpc/mod.ts";
import type { ToolsRoom } from "../tools/room.ts";

const permissions = "none";
const worker = new Worker(
  pathToFileURL(Deno.args[0]),
  { type: "module", deno: { permissions } } as WorkerOptions,
);
console.log(JSON.stringify(await connect<ToolsRoom>(worker).call("catalogue", undefined)));
worker.terminate();
