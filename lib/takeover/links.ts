/** Symlinks in a root: in the way of a file that init reads or writes, they end it; elsewhere they are told. */
import { dirname, join } from "node:path";
import type { Settings } from "../config.ts";
import { AgentError } from "../errors.ts";
import { exists } from "../init/files.ts";
import { paths } from "../init/options.ts";
import { findEscapes, guard } from "../sandbox/guard.ts";

/** Where files of HAProxy's and the agent's lie. Its user can write in some of them, and root runs init. */
const FOLDERS = ["conf", "certs", "data", "run", "systemd"];

/**
 * Throws STATE_IO for the first that leads out of the root from there, or stands in a file's place.
 *
 * @param beside names of further files in the map's folder
 * @returns a sentence for each other one that leads out: `serve` refuses a root that holds one
 */
export async function refuseLinks(
  { files, host, tokenFile }: Settings,
  ...beside: readonly string[]
): Promise<readonly string[]> {
  const { root } = files;
  if (!exists(root)) return [];
  const real = await Deno.realPath(root);
  const { config, environment, defaultCertificate } = paths(root);
  const used = [...Object.values(files), ...beside.map((name) => join(dirname(files.map), name))]
    .concat(config, environment, defaultCertificate, host.configFile, tokenFile);
  for (const path of used) {
    if (path.startsWith(`${root}/`) && exists(path)) guard(real, path);
  }
  // Not to be read throughout: what init itself opens is looked at once more as it is opened.
  const escapes = await findEscapes(real, Infinity).catch(() => []);
  const inTheWay = escapes.find((path) =>
    FOLDERS.some((folder) => `${path}/`.startsWith(`${join(real, folder)}/`))
  );
  if (inTheWay !== undefined) {
    throw new AgentError("STATE_IO", `${inTheWay} is a symlink that leads out of ${root}.`, {
      hint: "Nothing was read or written. Put what it names in its place, or remove it.",
    });
  }
  return escapes.map((path) =>
    `${path} leads out of ${root}: serve does not start before it is gone. Move it elsewhere, or the ` +
    "folder that holds it, such as the original's haproxy_mcp/ with its .venv/."
  );
}
