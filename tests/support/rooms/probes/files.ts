/** Files: beyond the root by path, link, other APIs; and the system's own. */
import {
  type Attempts,
  eventOf,
  globals,
  got,
  load,
  type Loose,
  type ProbeTarget,
  startWorker,
  there,
} from "./attempt.ts";

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export const files = ({ root, outside, link }: ProbeTarget): Attempts => ({
  "read root": () => Deno.readTextFile(`${root}/conf/domains.map`),
  "write root": () => Deno.writeTextFile(`${root}/data/probe.tmp`, "x"),
  "read through a link": () => Deno.readTextFile(link),
  "read outside": () => Deno.readTextFile(outside),
  "read /etc/passwd": () => Deno.readTextFile("/etc/passwd"),
  "read /dev/null": () => Deno.readTextFile("/dev/null"),
  "stat outside": () => Deno.stat(outside),
  "lstat outside": () => Deno.lstat(outside),
  "realPath outside": () => Deno.realPath(outside),
  "read a link outside": () => Deno.readLink("/proc/self/exe"),
  "list /": () => Array.fromAsync(Deno.readDir("/")),
  "watch outside": () => Deno.watchFs(outside).close(),
  "working folder": () => Deno.cwd(),
  "program's path": () => Deno.execPath(),
  "program's own file": () => Deno.readFile(Deno.execPath()),
  "write outside": () => Deno.writeTextFile(outside, "probed"),
  "truncate outside": () => Deno.truncate(outside),
  "write beside root": () => Deno.writeTextFile(`${root}-probe`, "x"),
  "make outside": () => Deno.mkdir(`${outside}.d`),
  "temporary file": () => Deno.makeTempFile(),
  "temporary folder": () => Deno.makeTempDir(),
  "temporary file outside": () => Deno.makeTempFile({ dir: outside.replace(/\/[^/]*$/, "") }),
  "chmod outside": () => Deno.chmod(outside, 0o777),
  "chown outside": () => Deno.chown(outside, 0, 0),
  "touch outside": () => Deno.utime(outside, 1, 1),
  "remove outside": () => Deno.remove(outside),
  "rename into root": () => Deno.rename(outside, `${root}/data/probe.moved`),
  "rename out of root": () => Deno.rename(`${root}/conf/domains.map`, `${outside}.moved`),
  "rename the root": () => Deno.rename(root, `${root}-probe`),
  "copy into root": () => Deno.copyFile(outside, `${root}/data/probe.copy`),
  "copy out of root": () => Deno.copyFile(`${root}/conf/domains.map`, `${outside}.copy`),
  "node:sqlite": () => sqlite(`${outside}.db`, "create table t (x)"),
  "node:sqlite attach": () => sqlite(":memory:", `attach database '${outside}.db' as x`),
  "node:sqlite vacuum": () => sqlite(":memory:", `vacuum into '${outside}.db'`),
  "node:sqlite extension": () => sqlite(":memory:", "select load_extension('libc.so.6')"),
  "node:sqlite by URI": () => sqlite(`file:${outside}.db?mode=rwc`, "create table t (x)"),
  "fetch a file": () => fetch(`file://${outside}`).then((response) => response.text()),
  "Cache": async () => {
    got(Deno.build.standalone, "a checkout keeps it in the folder of Deno's own cache");
    const cache = await there(globals.caches).open("probe");
    await cache.put("http://probe.test/", new Response("probed"));
    await globals.caches.delete("probe");
  },
  "localStorage": () => there(globals.localStorage).setItem("probe", "x"),
  "Deno.openKv": async () => (await there((Deno as Loose).openKv)()).close(),
  "Deno.openKv outside": async () => (await there((Deno as Loose).openKv)(`${outside}.kv`)).close(),
});

async function sqlite(file: string, statement: string): Promise<void> {
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(file, { allowExtension: statement.includes("load_") });
  try {
    database.exec(statement);
  } finally {
    database.close();
  }
}

/** `..` and its kin. */
export function dotted({ root, outside }: ProbeTarget): Attempts {
  const up = "../../../../../../../..";
  const spellings: Readonly<Record<string, string | URL>> = {
    "..": `${root}/${up}/etc/passwd`,
    "conf/..": `${root}/conf/../${up}/etc/passwd`,
    "./..": `${root}/./.././${up}/etc/passwd`,
    "//..": `${root}//..//${up}//etc/passwd`,
    ".. of a missing folder": `${root}/missing/../${up}/etc/passwd`,
    ".. of a file": `${root}/conf/domains.map/../../${up}/etc/passwd`,
    "relative ..": `${up}/etc/passwd`,
    "file URL": new URL(`file://${root}/${up}/etc/passwd`),
    "file URL, %2e": new URL(`file://${root}/%2e%2e/${up}/etc/passwd`),
    "file URL, %2f": new URL(`file://${root}/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd`),
    "file URL, backslash": new URL(`file://${root}\\..\\..\\..\\..\\etc\\passwd`),
    "a name that begins like the root's": `${root}-probe/../../..${outside}`,
    "//": `/${outside}`,
    "trailing /.": `${outside}/.`,
  };
  return Object.fromEntries(
    Object.entries(spellings).flatMap(([name, path]) => [
      [`read ${name}`, () => Deno.readTextFile(path)],
      [`open ${name} to write`, () => Deno.openSync(path, { write: true }).close()],
    ]),
  );
}

/** Links that code in the room would make itself, and what it would do with somebody's. */
export const links = ({ root, outside }: ProbeTarget): Attempts => ({
  "symlink out": () => Deno.symlink(outside, `${root}/data/probe-symlink`),
  "relative symlink out": () => Deno.symlink("../../../etc/passwd", `${root}/data/probe-symlink`),
  "symlink to the folder above": () => Deno.symlink("..", `${root}/data/probe-symlink`),
  "symlink outside": () => Deno.symlink(`${root}/conf/domains.map`, `${outside}.symlink`),
  "symlink within": () => Deno.symlink(`${root}/conf`, `${root}/data/probe-within`),
  "node:fs symlink out": async () =>
    (await import("node:fs")).symlinkSync(outside, `${root}/data/probe-symlink`),
  "hard link in": () => Deno.link(outside, `${root}/data/probe-link`),
  "hard link out": () => Deno.link(`${root}/conf/domains.map`, `${outside}.link`),
  "node:fs hard link in": async () =>
    (await import("node:fs")).linkSync(outside, `${root}/data/probe-link`),
  "node:fs hard link out": async () =>
    (await import("node:fs")).linkSync(`${root}/conf/domains.map`, `${outside}.link`),
});

/** node:fs has ways of its own. */
export function nodeFiles({ root, outside }: ProbeTarget): Attempts {
  const sync: Readonly<Record<string, (fs: Loose) => unknown>> = {
    readFileSync: (fs) => fs.readFileSync(outside),
    "readFileSync by URL": (fs) => fs.readFileSync(new URL(`file://${outside}`)),
    "readFileSync by Buffer": (fs) => fs.readFileSync(globals.Buffer.from(outside)),
    openSync: (fs) => fs.openSync(outside, "r"),
    "openSync, O_PATH": (fs) => fs.openSync(outside, 0o10000000),
    "openSync to append": (fs) => fs.openSync(outside, "a"),
    writeFileSync: (fs) => fs.writeFileSync(outside, "probed"),
    appendFileSync: (fs) => fs.appendFileSync(outside, "probed"),
    readdirSync: (fs) => fs.readdirSync("/"),
    opendirSync: (fs) => fs.opendirSync("/"),
    statSync: (fs) => fs.statSync(outside),
    existsSync: (fs) => there(fs.existsSync(outside) || undefined),
    accessSync: (fs) => fs.accessSync(outside),
    statfsSync: (fs) => fs.statfsSync("/"),
    realpathSync: (fs) => fs.realpathSync(outside),
    "realpathSync.native": (fs) => fs.realpathSync.native(outside),
    readlinkSync: (fs) => fs.readlinkSync("/proc/self/exe"),
    rmSync: (fs) => fs.rmSync(outside),
    unlinkSync: (fs) => fs.unlinkSync(outside),
    renameSync: (fs) => fs.renameSync(outside, `${root}/data/probe.moved`),
    copyFileSync: (fs) => fs.copyFileSync(outside, `${root}/data/probe.copy`),
    cpSync: (fs) => fs.cpSync(outside, `${root}/data/probe.copy`),
    chmodSync: (fs) => fs.chmodSync(outside, 0o777),
    chownSync: (fs) => fs.chownSync(outside, 0, 0),
    utimesSync: (fs) => fs.utimesSync(outside, 1, 1),
    lutimesSync: (fs) => fs.lutimesSync(outside, 1, 1),
    truncateSync: (fs) => fs.truncateSync(outside),
    mkdirSync: (fs) => fs.mkdirSync(`${outside}.d`),
    mkdtempSync: (fs) => fs.mkdtempSync(`${outside}.`),
    watch: async (fs) => {
      const watcher = fs.watch(outside);
      await Promise.race([eventOf(watcher, "never"), delay(50)]);
      watcher.close();
    },
    openAsBlob: async (fs) => (await there(fs.openAsBlob)(outside)).text(),
    globSync: (fs) => there(there(fs.globSync)("/etc/pass*")[0]),
  };
  return {
    ...Object.fromEntries(
      Object.entries(sync).map(([name, attempt]) => [
        `node:fs ${name}`,
        async () => await attempt(await import("node:fs")),
      ]),
    ),
    "node:fs promises": async () => (await import("node:fs/promises")).readFile("/etc/passwd"),
    "node:fs read stream": async () => {
      const stream = (await import("node:fs")).createReadStream(outside);
      for await (const _ of stream);
    },
    "node:fs write stream": async () => {
      const stream = (await import("node:fs")).createWriteStream(`${outside}.stream`);
      await new Promise((resolve, reject) =>
        stream.on("error", reject).on("finish", () => resolve(0)).end("x")
      );
    },
  };
}

/** The module loader reads files, too. */
export const modules = ({ outside, nobodysPort }: ProbeTarget): Attempts => ({
  "import a file": () => load(`file://${outside}`),
  "run a file as a worker": () => startWorker(`file://${outside}`),
  "import JSON": () => load(`file://${outside}.json`, { with: { type: "json" } }),
  "import text": () => load(`file://${outside}`, { with: { type: "text" } }),
  "import bytes": () => load(`file://${outside}`, { with: { type: "bytes" } }),
  "import of another host": () => load(`http://127.0.0.1:${nobodysPort}/x.js`),
  "import by https": () => load(`https://127.0.0.1:${nobodysPort}/x.js`),
  "run a module of another host": () => startWorker(`http://127.0.0.1:${nobodysPort}/x.js`),
  "require a file": async () => (await createRequire())(`${outside}.cjs`),
  "require JSON": async () => (await createRequire())(`${outside}.json`),
  "require /etc/passwd": async () => (await createRequire())("/etc/passwd"),
  "require.resolve outside": async () => (await createRequire()).resolve(outside),
  "Module._extensions": async () => {
    const { default: Module } = await import("node:module") as Loose;
    Module._extensions[".js"](new Module("probe"), `${outside}.cjs`);
  },
  "Module._findPath": async () => {
    const { default: Module } = await import("node:module") as Loose;
    there(Module._findPath(`${outside}`, [""]) || undefined);
  },
  "findPackageJSON": async () => {
    const { findPackageJSON } = await import("node:module") as Loose;
    there(there(findPackageJSON)(`file://${outside}`));
  },
});

async function createRequire(): Promise<NodeJS.Require> {
  return (await import("node:module")).createRequire("file:///probe.js");
}
