/** The test build's tools room: the product's tools, and some that misbehave. It looks for due certificates soon and often. */
/// <reference lib="deno.worker" />
import { tools } from "../../../tools/mod.ts";
import { openToolsRoom } from "../../../tools/room.ts";
import { signingTool } from "./conformance/signing_tool.ts";
import { installPoints } from "./points.ts";
import { testTools } from "./test_tools.ts";

installPoints(self);
openToolsRoom(self, [...tools, ...testTools, signingTool], { firstMs: 300, atLeastMs: 1_000 });
