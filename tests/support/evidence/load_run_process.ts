/** A process that does one load run, told as JSON, and prints its report: it may run in a network of its own. */
import { loadWhileChanging } from "./load_run.ts";

console.log(JSON.stringify(await loadWhileChanging(JSON.parse(Deno.args[0]))));
