/** All that a change can touch: what lies on disk, what HAProxy holds, and whether the two are the same. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Haproxy } from "../haproxy.ts";
import { runningMap, runningSlots } from "../tools.ts";

/** Text by name: a file's path below the root, or what HAProxy was asked. */
export type View = Readonly<Record<string, string>>;

/** Disk and HAProxy. Secrets are told apart by their digest alone. */
export async function lookAt(haproxy: Haproxy): Promise<View> {
  return { ...await lookAtDisk(haproxy.root), ...await lookAtHaproxy(haproxy) };
}

export async function lookAtDisk(root: string): Promise<View> {
  const seen: Record<string, string> = {};
  for (const folder of ["conf", "certs"]) {
    for await (const { name, isFile } of Deno.readDir(join(root, folder))) {
      if (!isFile || name === "mcp-token.env") continue;
      const text = await Deno.readTextFile(join(root, folder, name));
      seen[`${folder}/${name}`] = name.endsWith(".pem") ? await digest(text) : text;
    }
  }
  const saved = await Deno.readTextFile(join(root, "data/servers.state")).catch(() => undefined);
  return { ...seen, ...(saved !== undefined && { "data/servers.state": saved }) };
}

export async function lookAtHaproxy(haproxy: Haproxy): Promise<View> {
  const { runtime, root } = haproxy;
  const certificates = await runtime("show ssl cert");
  const loaded: string[] = [];
  for (const file of certificates.split("\n").filter((line) => line.startsWith("/")).sort()) {
    const shown = await unlocked(() => runtime(`show ssl cert ${file}`));
    loaded.push(`${file} ${/^SHA1 FingerPrint: (.*)$/m.exec(shown)?.[1] ?? shown}`);
  }
  const list = await runtime(`show ssl crt-list -n ${join(root, "certs/crt-list.txt")}`);
  return {
    "show map": await runningMap(haproxy),
    "show servers state": await runningSlots(haproxy),
    // A transaction that was never committed begins with an asterisk.
    "show ssl cert": [...loaded, ...certificates.split("\n").filter((line) => line[0] === "*")]
      .join("\n"),
    // Line numbers are HAProxy's own count.
    "show ssl crt-list": list.split("\n").map((line) => line.replace(/:\d+/, "")).sort().join("\n"),
  };
}

/** HAProxy shows no certificate while another conversation looks at one. */
async function unlocked(ask: () => Promise<string>): Promise<string> {
  for (;;) {
    const reply = await ask();
    if (!/certificates are currently locked/.test(reply)) return reply;
    await delay(5);
  }
}

/** The names of what is not the same in both. */
export function differences(a: View, b: View): string[] {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].filter((name) => a[name] !== b[name]).sort();
}

async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(bytes).toHex();
}
