/** `haproxy-mcp doctor`: what goes wrong in practice, checked, and what to do about it. Changes nothing. */
import { Command } from "commander";
import type { Environment } from "../config/reader.ts";
import { readSettings } from "../config.ts";
import { diagnose } from "../doctor/checks.ts";
import { lookAtEverything } from "../doctor/look.ts";
import { EXIT } from "../supervisor/exit_code.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import { doctorText } from "./doctor_text.ts";
import {
  addFlags,
  environmentFrom,
  fromSettingsFile,
  HAPROXY_FLAGS,
  LISTEN_FLAGS,
} from "./flags.ts";
import type { Finish } from "./outcome.ts";
import { terminalOf } from "./terminal.ts";

export function doctorCommand(rooms: RoomEntries, finish: Finish): Command {
  return addFlags(new Command("doctor"), [...HAPROXY_FLAGS, ...LISTEN_FLAGS])
    .description("check what goes wrong in practice, and say what to do; changes nothing")
    .option("--json", "print {checks, faults, warnings} as JSON")
    .addHelpText(
      "after",
      "\nThe exit code is 1 where a fault was found, and 0 with warnings alone.\n" +
        "\nExample: haproxy-mcp doctor --json | jq '.checks[] | select(.status == \"fault\")'",
    )
    .action(async ({ json, ...flags }: { readonly json?: boolean }) => {
      const environment = withUsableFile(environmentFrom(flags));
      const seen = await lookAtEverything(readSettings(environment), environment, rooms);
      const diagnosis = diagnose(seen);
      console.log(
        json
          ? JSON.stringify(diagnosis, null, 2)
          : doctorText(diagnosis, terminalOf(Deno.stdout)?.colours ?? false),
      );
      finish(diagnosis.faults > 0 ? EXIT.toolError : EXIT.done);
    });
}

/** With the unit's settings beneath. Those that can't be used are for a check to name, and not for doctor to end with. */
function withUsableFile(environment: Environment): Environment {
  const whole = { ...environment, ...fromSettingsFile(environment).settings };
  try {
    readSettings(whole);
    return whole;
  } catch {
    return environment;
  }
}
