/** What this machine decides about haproxy.cfg: who starts HAProxy here, as whom it serves, whether IPv6 exists. */
import type { InitOptions } from "./options.ts";

type Account = NonNullable<InitOptions["account"]>;

/**
 * Whom the workers become: the distribution's `haproxy`, else `nobody`. Undefined for an ordinary
 * user, who can't change what a process runs as.
 */
export async function accountOfHaproxy(): Promise<Account | undefined> {
  if (Deno.uid() !== 0) return undefined;
  const [users, groups] = await Promise.all([
    Deno.readTextFile("/etc/passwd"),
    Deno.readTextFile("/etc/group"),
  ]);
  return chooseAccount(users, groups);
}

/** @param users @param groups the contents of /etc/passwd and /etc/group */
export function chooseAccount(users: string, groups: string): Account | undefined {
  const has = (file: string, name: string) =>
    file.split("\n").some((line) => line.startsWith(`${name}:`));
  const group = (names: readonly string[]) => names.find((name) => has(groups, name));
  for (
    const [user, wanted] of [["haproxy", ["haproxy"]], ["nobody", ["nogroup", "nobody"]]] as const
  ) {
    const found = group(wanted);
    if (has(users, user) && found !== undefined) return { user, group: found };
  }
  return undefined;
}

/** Both families, or IPv4 alone where the kernel has no IPv6: HAProxy would not start on a v6 address. */
export function everyAddress(): readonly string[] {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return ["0.0.0.0", "::"];
  } catch {
    return ["0.0.0.0"];
  }
}
