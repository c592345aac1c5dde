/** The test build's front room: the product's, a tool that tries to leave it and one that never yields. */
/// <reference lib="deno.worker" />
import type { ToolDefinition } from "../../../lib/tool_definition.ts";
import { openFrontRoom } from "../../../lib/front/room.ts";
import { probe, type ProbeTarget } from "./probe.ts";

const roomTool = (name: string, title: string): ToolDefinition => ({
  name,
  title,
  description: title,
  group: "health",
  inputSchema: { type: "object" },
  outputSchema: { type: "object" },
  annotations: {
    readOnlyHint: true,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
  deadlineMs: 60_000,
  deadlineFromTimeout: false,
});

openFrontRoom(self, {
  roomTools: [
    {
      definition: roomTool("test_probe_front", "Tries to leave the front room"),
      async run(args) {
        const structuredContent = await probe(args as ProbeTarget);
        return { content: [], structuredContent };
      },
    },
    {
      definition: roomTool("test_spin_front", "Never yields"),
      run() {
        for (;;);
      },
    },
  ],
});
