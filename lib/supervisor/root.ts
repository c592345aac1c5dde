/** Looks at HAPROXY_ROOT before any room gets it: what can't work stops the start with one clear line. */
import { dirname } from "node:path";
import { type Files, type Settings, SettingsError } from "../config.ts";
import { findEscapes } from "../sandbox/guard.ts";

/**
 * The settings with every file's path below the real root: the rooms' permissions are given for that
 * one, and Deno compares paths as they are written.
 *
 * Throws SettingsError when the root is missing, can't be read or written, or holds a symlink that
 * leads out of it.
 */
export async function prepareRoot(settings: Settings): Promise<Settings> {
  const { root } = settings.files;
  const real = await Deno.realPath(root).catch((cause) => {
    const missing = cause instanceof Deno.errors.NotFound;
    throw unusable(
      root,
      missing ? "a folder that exists (`haproxy-mcp init` makes it) is" : "a readable folder is",
    );
  });
  if (!(await Deno.stat(real)).isDirectory) throw unusable(root, "a folder is");

  const files = below(settings.files, real);
  // The root itself may be somebody else's: nothing is written right into it, unless a setting says so.
  const { root: _, ...inside } = files;
  const folders = new Set(await Promise.all(Object.values(inside).map(existingFolder)));
  for (const folder of folders) await checkWritable(root, folder);

  const escapes = await findEscapes(real).catch((cause) => {
    throw unusable(root, `a folder that can be read throughout is (${message(cause)})`);
  });
  if (escapes.length > 0) {
    throw unusable(root, `a folder without symlinks that lead out is (${escapes.join(", ")})`);
  }
  return { ...settings, files };
}

/** The same files below another spelling of their root. */
export function below(files: Files, root: string): Files {
  const moved = Object.entries(files).map(([name, path]) => [
    name,
    root + path.slice(files.root.length),
  ]);
  return Object.fromEntries(moved);
}

/** The folder that holds `path`, or will: the nearest one that exists. */
async function existingFolder(path: string): Promise<string> {
  const info = await Deno.stat(path).catch(() => undefined);
  return info?.isDirectory ? path : await existingFolder(dirname(path));
}

/** Tried, not read from the mode: ACLs, user namespaces and read-only mounts have a say too. */
async function checkWritable(root: string, folder: string): Promise<void> {
  try {
    const probe = await Deno.makeTempFile({ dir: folder, prefix: ".haproxy-mcp-" });
    await Deno.remove(probe);
  } catch (cause) {
    throw unusable(root, `a folder that this user can write is (${folder}: ${message(cause)})`);
  }
}

const unusable = (root: string, allowed: string) =>
  new SettingsError("HAPROXY_ROOT", root, allowed);
const message = (cause: unknown) => cause instanceof Error ? cause.message : String(cause);
