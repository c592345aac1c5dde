/** `haproxy-mcp tools`: what can be called. */
import { Command } from "commander";
import { EXIT } from "../supervisor/exit_code.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import { readDefinitions } from "../supervisor/shell.ts";
import type { Finish } from "./outcome.ts";
import { toolTable } from "./tool_text.ts";

export function toolsCommand(rooms: RoomEntries, finish: Finish): Command {
  return new Command("tools")
    .description("list the tools by group")
    .option("--json", "with their schemas, as JSON")
    .addHelpText("after", "\nExample: haproxy-mcp tools --json | jq '.[].name'")
    .action(async ({ json }: { readonly json?: boolean }) => {
      const definitions = await readDefinitions(rooms);
      console.log(json ? JSON.stringify(definitions, null, 2) : toolTable(definitions));
      finish(EXIT.done);
    });
}
