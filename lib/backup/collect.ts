/** Reads what the agent owns. Under the file lock, so that no change is half there. */
import { AgentError } from "../errors.ts";
import type { Files } from "../config.ts";
import type { RootFiles } from "../sandbox/files.ts";
import { MAX_FILE } from "./limits.ts";
import { NAMES, type Owned, ownedFiles, type Places } from "./owned.ts";

export interface CollectParts {
  readonly files: RootFiles;
  readonly paths: Files;
  readonly places: Places;
}

export interface CollectOptions {
  readonly secrets: boolean;
  readonly audit: boolean;
  /** Whether haproxy.cfg, which may hold passwords, holds none. */
  isOpen(config: Uint8Array): Promise<boolean>;
}

export interface Collected {
  /** By their names in an archive. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What is not among them, a clause each: `certs/a.pem: it is a symlink`. */
  readonly leftOut: readonly string[];
}

/** Throws STATE_IO where the state itself can't be read. */
export async function collect(
  { files, paths, places }: CollectParts,
  { secrets, audit, isOpen }: CollectOptions,
): Promise<Collected> {
  const found = new Map<string, Uint8Array>();
  const leftOut = outside(places, secrets);

  async function take({ name, path, kind }: Owned): Promise<void> {
    if (kind === "secret" && !secrets || kind === "audit" && !audit) return;
    try {
      const content = await files.readBytes(path, MAX_FILE);
      if (content === undefined) return;
      if (name === NAMES.config && !secrets && !await isOpen(content)) {
        leftOut.push(`${name}: it holds passwords, so it goes with the secrets`);
      } else {
        found.set(name, content);
      }
    } catch (cause) {
      // One that can't be read, such as a symlink, keeps nobody from saving the others.
      if (kind === "state") throw cause;
      leftOut.push(`${name}: ${AgentError.from(cause).message.replace(/\.$/, "")}`);
    }
  }

  for (const owned of await ownedFiles(files, paths, places)) await take(owned);
  return { files: found, leftOut };
}

function outside({ configFile, tokenFile }: Places, secrets: boolean): string[] {
  const why = "it does not lie under HAPROXY_ROOT";
  return [
    ...configFile === undefined ? [`${NAMES.config}: ${why}`] : [],
    ...secrets && tokenFile === undefined ? [`conf/mcp-token.env: ${why}`] : [],
  ];
}
