/**
 * The test build's front room: the product's, a tool that tries to leave it, one that never yields, and what the
 * conformance suites ask for.
 */
/// <reference lib="deno.worker" />
import { openFrontRoom } from "../../../lib/front/room.ts";
import {
  CONFORMANCE_CAPABILITIES,
  HEADED_TOOLS,
  withConformanceFixtures,
} from "./conformance/mod.ts";
import { type FrontTool, withFrontTools } from "./front_tools.ts";
import { probe, type ProbeTarget } from "./probe.ts";

const listed = (name: string, title: string): FrontTool["listed"] => ({
  name,
  title,
  description: title,
  inputSchema: { type: "object" },
  outputSchema: { type: "object" },
  annotations: { readOnlyHint: true },
});

const tools: readonly FrontTool[] = [
  {
    listed: listed("test_probe_front", "Tries to leave the front room"),
    async run(args) {
      const structuredContent = await probe(args as unknown as ProbeTarget);
      return { content: [], structuredContent };
    },
  },
  {
    listed: listed("test_spin_front", "Never yields"),
    run() {
      for (;;);
    },
  },
];

openFrontRoom(self, {
  capabilities: CONFORMANCE_CAPABILITIES,
  headedTools: HEADED_TOOLS,
  extend: (product) => withConformanceFixtures(withFrontTools(product, tools)),
});
