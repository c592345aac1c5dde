import { equal, ok } from "node:assert/strict";
import { connectionsWithin, softLimit } from "../../../lib/supervisor/host/open_files.ts";

Deno.test("connectionsWithin: what the soft limit of open files leaves, and never all of it", () => {
  equal(connectionsWithin(1024, 4096), 768);
  equal(connectionsWithin(65536, 4096), 4096);
  equal(connectionsWithin(256, 4096), 64);
  equal(connectionsWithin(Infinity, 4096), 4096);
});

Deno.test("softLimit is this process's own", async () => {
  const limit = await softLimit();
  ok(limit >= 256, `${limit}`);
  const script = `import("${import.meta.resolve("../../../lib/supervisor/host/open_files.ts")}")` +
    ".then(async ({ softLimit }) => console.log(await softLimit()))";
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", 'ulimit -n 300; exec "$0" eval --quiet "$1"', Deno.execPath(), script],
  }).output();
  equal(new TextDecoder().decode(stdout).trim(), "300");
});
