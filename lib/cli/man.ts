/** `haproxy-mcp man`: the man page. docs/haproxy-mcp.1 is the same. */
import { Command } from "commander";
import project from "../../deno.json" with { type: "json" };
import { EXIT } from "../supervisor/exit_code.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import { readDefinitions } from "../supervisor/shell.ts";
import { manPage } from "./manual.ts";
import type { Finish } from "./outcome.ts";
import { commandsOf, shapeOf } from "./shape.ts";

export function manCommand(rooms: RoomEntries, finish: Finish): Command {
  return new Command("man")
    .description("print the man page, haproxy-mcp(1)")
    .addHelpText("after", "\nExample: haproxy-mcp man | man -l -")
    .action(async (_flags: unknown, { parent }: Command) => {
      const tools = await readDefinitions(rooms);
      const line = { program: shapeOf(parent!), commands: commandsOf(parent!), tools };
      console.log(manPage(line, project.version).trimEnd());
      finish(EXIT.done);
    });
}
