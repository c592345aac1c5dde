/** `haproxy-mcp stdio`: MCP for a client that starts us. */
import { Command } from "commander";
import { serveStdio } from "../supervisor/serve.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import { addFlags, HAPROXY_FLAGS } from "./flags.ts";
import { asAgent } from "./hand_over.ts";
import type { Finish } from "./outcome.ts";

export function stdioCommand(rooms: RoomEntries, finish: Finish): Command {
  return addFlags(new Command("stdio"), HAPROXY_FLAGS)
    .description("speak MCP on stdin and stdout until stdin ends; logs go to stderr")
    .addHelpText(
      "after",
      "\nExample: claude mcp add haproxy -- haproxy-mcp stdio --root /opt/haproxy",
    )
    .action(async (options) =>
      finish(await asAgent(options, (settings) => serveStdio(settings, rooms)))
    );
}
