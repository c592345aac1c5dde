/** Folders, stand-in programs, and a HAProxy whose master CLI is a unix socket. */
import { join } from "node:path";
import { readSettings } from "../../../lib/config.ts";
import type { HostSettings } from "../../../lib/config.ts";
import { haproxyBinary, type HaproxyVersion } from "../../support/haproxy.ts";
import { LEASH } from "../../support/leash.ts";
import { freePort } from "../../support/ports.ts";

export interface Folder extends AsyncDisposable {
  readonly path: string;
  file(name: string, content: string): Promise<string>;
  /** A shell script that can be run. It writes its arguments and environment beside itself before it does `body`. */
  program(name: string, body: string): Promise<string>;
  /** The arguments that a stand-in got when it was run last; undefined: it was not. */
  argumentsOf(name: string): Promise<string[] | undefined>;
  environmentOf(name: string): Promise<string[]>;
}

export async function makeFolder(): Promise<Folder> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" }));
  const file = async (name: string, content: string) => {
    await Deno.writeTextFile(join(path, name), content);
    return join(path, name);
  };
  const lines = async (name: string) => {
    const text = await Deno.readTextFile(join(path, name)).catch(() => undefined);
    return text?.split("\n").slice(0, -1);
  };
  return {
    path,
    file,
    async program(name, body) {
      const record = `env >'${path}/${name}.env'; printf '%s\\n' "$@" >'${path}/${name}.argv'`;
      const program = await file(name, `#!/bin/sh\n${record}\n${body}\n`);
      await Deno.chmod(program, 0o755);
      return program;
    },
    argumentsOf: (name) => lines(`${name}.argv`),
    environmentOf: async (name) => await lines(`${name}.env`) ?? [],
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Settings for a root that need not exist. */
export function hostSettings(
  root: string,
  env: Readonly<Record<string, string>> = {},
): HostSettings {
  return readSettings({ HAPROXY_ROOT: root, ...env }).host;
}

export const never = new AbortController().signal;
export const call = { signal: never } as const;

/** A config that HAProxy starts on; `body` follows the frontend's bind. */
export function haproxyConfig(body = "  default_backend b\n", port = freePort()): string {
  // 3.4 warns of a root process without them; an ordinary user's can't do them.
  const rights = Deno.uid() === 0 ? "  chroot /\n  uid 0\n" : "  # no\n  # rights\n";
  return `global
${rights}defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend f
  bind 127.0.0.1:${port}
${body}backend b
  server s 127.0.0.1:1
`;
}

export interface Master extends AsyncDisposable {
  readonly folder: Folder;
  readonly socket: string;
  readonly configFile: string;
  readonly ended: Promise<Deno.CommandStatus>;
}

/** HAProxy in master-worker mode, its master CLI at ROOT/run/master.sock as `init` suggests. */
export async function startMaster(version: HaproxyVersion, config: string): Promise<Master> {
  const folder = await makeFolder();
  await Deno.mkdir(join(folder.path, "run"));
  await Deno.mkdir(join(folder.path, "conf"));
  const socket = join(folder.path, "run/master.sock");
  const configFile = await folder.file("conf/haproxy.cfg", config);
  const process = new Deno.Command("sh", {
    args: ["-c", `${LEASH}exec "$0" "$@" >/dev/null 2>&1 </dev/null`, haproxyBinary(version)]
      .concat("-W", "-S", `${socket},mode,600`, "-f", configFile),
    stdin: "piped",
  }).spawn();
  const ended = process.status.then(async (status) => {
    await process.stdin.close();
    return status;
  });
  return {
    folder,
    socket,
    configFile,
    ended,
    async [Symbol.asyncDispose]() {
      try {
        process.kill("SIGTERM");
      } catch {
        // It has ended.
      }
      await ended;
      await folder[Symbol.asyncDispose]();
    },
  };
}
