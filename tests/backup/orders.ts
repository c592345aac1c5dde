/** Backups and restores as main orders them, in this process. */
import { relative } from "node:path";
import { packBackup, unpackBackup } from "../../lib/backup/archive.ts";
import { AgentError, type AgentErrorData } from "../../lib/errors.ts";
import {
  backup,
  type BackupAnswer,
  restore,
  type RestoreAnswer,
  type RestoreOrder,
} from "../../tools/backup.ts";
import type { ToolRig } from "../support/tools.ts";

export type Wishes = Partial<Omit<RestoreOrder, "content">>;

export interface Orders {
  backup(secrets?: boolean): Promise<BackupAnswer>;
  restore(content: Uint8Array, wishes?: Wishes): Promise<RestoreAnswer>;
  /** A restore that has to be refused. */
  refused(content: Uint8Array, wishes?: Wishes): Promise<AgentErrorData>;
}

export function ordersOf(rig: ToolRig): Orders {
  const { root } = rig.haproxy;
  const order = {
    caller: { transport: "shell", who: "test" },
    archive: "a.tar",
    root,
    places: { configFile: rig.haproxy.configFile, tokenFile: `${root}/conf/mcp-token.env` },
    madeBy: "haproxy-mcp 0.0.0",
  } as const;
  const wish = {
    dryRun: false,
    offline: false,
    withoutCertificates: false,
    withoutRoots: false,
    confirmed: false,
  };
  const call = () => ({ signal: new AbortController().signal, progress: () => {} });
  const restoreIt = (content: Uint8Array, wishes: Wishes = {}) =>
    restore({ ...order, ...wish, ...wishes, content }, rig.context, call());
  return {
    backup: (secrets = false) => backup({ ...order, secrets }, rig.context, call()),
    restore: restoreIt,
    async refused(content, wishes) {
      try {
        const { files } = await restoreIt(content, wishes);
        throw new Error(`it was restored: ${files.map(({ file }) => file)}`);
      } catch (cause) {
        if (cause instanceof AgentError) return cause.toData();
        throw cause;
      }
    },
  };
}

/** The archive with other files in it. */
export function withFiles(
  archive: Uint8Array,
  change: (files: Map<string, Uint8Array>) => void,
  origin: { readonly root?: string } = {},
): Uint8Array {
  const { manifest: { version: _, files: _files, ...manifest }, files } = unpackBackup(
    archive,
    "a.tar",
  ) as unknown as { manifest: Record<string, unknown>; files: Map<string, Uint8Array> };
  change(files);
  return packBackup({ manifest: { ...manifest, ...origin } as never, files });
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export const text = (content: Uint8Array | undefined): string => new TextDecoder().decode(content);

/** Every file below the root by its path, but for HAProxy's own, locks, and what a restore leaves on purpose. */
export async function filesOf(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory) folders.push(path);
      const place = relative(root, path);
      const isOther = /^run\/|\.log$|lock$|^data\/(audit|journal|backup-before)/.test(place);
      if (isFile && !isOther) found[place] = await Deno.readTextFile(path);
    }
  }
  return found;
}
