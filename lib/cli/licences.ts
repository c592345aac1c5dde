/** `haproxy-mcp licences`: those of all that the executable is made of, which have to come with every copy of it. */
import { Command } from "commander";
import { UsageError } from "./outcome.ts";

/** Written and included by scripts/compile.sh, beside the bundle of main.ts. */
const file = new URL("./licences.txt", import.meta.url);

export function licencesCommand(): Command {
  return new Command("licences").alias("licenses")
    .description("print the licences of all that this executable is made of")
    .addHelpText("after", "\nExample: haproxy-mcp licences | less")
    .action(async () => {
      const text = await Deno.readTextFile(file).catch((cause) => {
        if (!(cause instanceof Deno.errors.NotFound)) throw cause;
        throw new UsageError("The licences are in the executable that scripts/compile.sh makes.");
      });
      console.log(text.trimEnd());
    });
}
