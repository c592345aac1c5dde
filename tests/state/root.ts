/** A temporary root with the folders that the state's files need, and the settings' paths in it. */
import { join } from "node:path";
import { type Files, readSettings } from "../../lib/config.ts";
import { openRoot, type RootFiles } from "../../lib/sandbox/files.ts";

export interface TestRoot extends AsyncDisposable {
  readonly root: string;
  readonly paths: Files;
  readonly files: RootFiles;
  /** The text of a file, given by its path under the root. */
  text(path: string): Promise<string>;
  write(path: string, text: string): Promise<void>;
  /** The names in a folder, sorted. */
  names(folder: string): Promise<string[]>;
}

export async function testRoot(settings: Readonly<Record<string, string>> = {}): Promise<TestRoot> {
  const root = await Deno.realPath(await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" }));
  for (const folder of ["conf", "data/journal"]) {
    await Deno.mkdir(join(root, folder), { recursive: true });
  }
  return {
    root,
    paths: readSettings({ HAPROXY_ROOT: root, ...settings }).files,
    files: await openRoot(root),
    text: (path) => Deno.readTextFile(join(root, path)),
    write: (path, text) => Deno.writeTextFile(join(root, path), text),
    async names(folder) {
      const entries = await Array.fromAsync(Deno.readDir(join(root, folder)));
      return entries.map(({ name }) => name).sort();
    },
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
}

/** Whom the agent is in a root as install.sh leaves it. */
export const AGENT = { uid: 1234, gid: 4321 } as const;

/** Needs root: the agent is a user of its own, haproxy.cfg and the unit's settings are root's, in a folder that is sticky. */
export async function installedRoot(): Promise<TestRoot> {
  const root = await stateRoot();
  const { uid, gid } = AGENT;
  const at = (path: string) => join(root.root, path);
  for (const path of ["conf/haproxy.cfg", "conf/haproxy-mcp.env"]) {
    await root.write(path, "root's\n");
  }
  await Deno.mkdir(at("systemd"));
  for (const path of ["conf/domains.map", "conf/servers.json", "data", "data/journal"]) {
    await Deno.chown(at(path), uid, gid);
  }
  await Deno.chown(at("conf"), 0, gid);
  await Deno.chmod(at("conf"), 0o1775);
  return { ...root, files: await openRoot(root.root, 0) };
}

/** The same with an empty servers.json and map, as `init` leaves them: without one of them the other has to be empty. */
export async function stateRoot(
  settings: Readonly<Record<string, string>> = {},
): Promise<TestRoot> {
  const root = await testRoot(settings);
  await root.write("conf/servers.json", "{}\n");
  await root.write("conf/domains.map", "");
  return root;
}
