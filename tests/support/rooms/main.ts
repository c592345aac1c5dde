/** The test build's main where it runs from the checkout: main.ts with the rooms of this folder. */
import { run } from "../../../lib/cli/mod.ts";

Deno.exit(
  await run(Deno.args, {
    front: new URL("./front_worker.ts", import.meta.url),
    tools: new URL("./tools_worker.ts", import.meta.url),
    acme: new URL("./acme_worker.ts", import.meta.url),
  }),
);
