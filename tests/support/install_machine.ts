/** A machine (tests/support/machine) with HAProxy and without an agent, for install.sh; and the agent's user there. */
import { join } from "node:path";
import { haproxyBinary } from "./haproxy.ts";
import type { Ended, Machine } from "./machine/mod.ts";

export const INSTALL = new URL("../../scripts/install.sh", import.meta.url).pathname;

export function ok(ended: Ended): string {
  if (ended.code === 0) return ended.stdout;
  throw new Error(`ended with ${ended.code}: ${ended.stderr}${ended.stdout}`);
}

/** HAProxy as Debian's package leaves it. */
export async function putHaproxy(machine: Machine): Promise<void> {
  const binary = haproxyBinary("3.2");
  const unit = join(binary, "../../root/usr/lib/systemd/system/haproxy.service");
  await machine.write("/usr/sbin/haproxy", `#!/bin/sh\nexec '${binary}' "$@"\n`, 0o755);
  await machine.write("/usr/lib/systemd/system/haproxy.service", await Deno.readTextFile(unit));
}

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
