/** `haproxy-mcp serve`: MCP over HTTP. */
import { Command } from "commander";
import { serveHttp } from "../supervisor/serve.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import { addFlags, HAPROXY_FLAGS, LISTEN_FLAGS, settingsFrom } from "./flags.ts";
import type { Finish } from "./outcome.ts";

export function serveCommand(rooms: RoomEntries, finish: Finish): Command {
  return addFlags(new Command("serve"), [...HAPROXY_FLAGS, ...LISTEN_FLAGS])
    .description("serve MCP over HTTP until SIGTERM or SIGINT")
    .addHelpText("after", "\nExample: haproxy-mcp serve --root /opt/haproxy --port 8000")
    .action(async (options) => finish(await serveHttp(settingsFrom(options), rooms)));
}
