/** A machine (tests/support/machine) with HAProxy and without an agent, for install.sh; and the agent's user there. */
import { join } from "node:path";
import { haproxyBinary } from "./haproxy.ts";
import type { Ended, Machine } from "./machine/mod.ts";

export const INSTALL = new URL("../../scripts/install.sh", import.meta.url).pathname;

export function ok(ended: Ended): string {
  if (ended.code === 0) return ended.stdout;
  throw new Error(`ended with ${ended.code}: ${ended.stderr}${ended.stdout}`);
}

/** HAProxy as Debian's package leaves it: every user may run it, whatever folder the checkout lies in. */
export async function putHaproxy(machine: Machine): Promise<void> {
  const folder = join(haproxyBinary("3.2"), "../..");
  const unit = join(folder, "root/usr/lib/systemd/system/haproxy.service");
  ok(await machine.run("cp", "--archive", folder, PROGRAM));
  const program = `#!/bin/sh\nexec ${PROGRAM}/bin/haproxy "$@"\n`;
  await machine.write("/usr/sbin/haproxy", program, 0o755);
  await machine.write("/usr/lib/systemd/system/haproxy.service", await Deno.readTextFile(unit));
}

/** Beside what /usr/lib has: HAProxy brings its libraries along. */
const PROGRAM = "/usr/lib/haproxy-of-the-test";

const AS_AGENT = ["runuser", "-u", "haproxy-mcp", "--"];

export async function call(
  machine: Machine,
  tool: string,
  args: readonly string[] = [],
  as: readonly string[] = AS_AGENT,
) {
  const [program, ...words] = [...as, "haproxy-mcp", "call", `haproxy_${tool}`, "--json", ...args];
  return JSON.parse(ok(await machine.run(program, ...words)));
}
