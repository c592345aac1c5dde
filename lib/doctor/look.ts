/** Looks at everything that the checks judge. Every look stands alone and is bounded in time; none leaves a trace. */
import { join } from "node:path";
import type { Settings } from "../config.ts";
import type { Environment } from "../config/reader.ts";
import { AgentError } from "../errors.ts";
import { look, type Looked } from "../looked.ts";
import { findEscapes } from "../sandbox/guard.ts";
import { accessOf } from "../supervisor/host/access.ts";
import { findBinary } from "../supervisor/host/check.ts";
import { readWhole } from "../supervisor/host/config_file.ts";
import { diskSpace } from "../supervisor/host/disk.ts";
import { installedHaproxy } from "../supervisor/host/installed.ts";
import { ownEnvironment, type ProgramActs, programActs } from "../supervisor/host/mod.ts";
import { softLimit } from "../supervisor/host/open_files.ts";
import { openPodman } from "../supervisor/host/podman.ts";
import { findProgram, isProgram } from "../supervisor/host/program.ts";
import { readTree } from "../supervisor/host/tree.ts";
import { unitUser } from "../supervisor/host/unit_user.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import { below } from "../supervisor/root.ts";
import { examineInRoom } from "../supervisor/shell.ts";
import { lookAtTokenFile } from "../supervisor/token_file.ts";
import type { Examination } from "../../tools/examine.ts";
import type { ConfigCheck } from "../../tools/host_acts.ts";
import { looksUpSlots } from "./slot_lines.ts";
import { lookAtAcme } from "./look_acme.ts";
import { lookAtServe } from "./look_serve.ts";
import { ownPaths } from "./rights.ts";
import type { Seen } from "./seen.ts";
import { lookAtSettingsFile } from "./settings_file.ts";

/** For a program: a machine that is busy is no reason to see nothing. */
const LOOK_MS = 10_000;
/** For several, and for HAProxy's own check, which reads every certificate. */
const LONG_LOOK_MS = 30_000;

/**
 * @param environment what the settings were read from, flags laid over it
 */
export async function lookAtEverything(
  given: Settings,
  environment: Environment,
  entries: RoomEntries,
): Promise<Seen> {
  const root = await look(() => realFolder(given.files.root));
  const files = "value" in root ? below(given.files, root.value) : given.files;
  const settings = { ...given, files };
  const { host, tokenFile } = settings;
  const signal = AbortSignal.timeout(LOOK_MS);
  const inRoot = async <T>(at: (root: string) => Promise<T>): Promise<Looked<T>> =>
    "value" in root ? await look(() => at(root.value)) : NO_ROOT;

  const path = Deno.env.get("PATH") ?? "";
  const acts = programActs(host, ownEnvironment(), LOOK_MS);
  const isConfigLost = "error" in root && host.configFile.startsWith(`${files.root}/`);
  const config = isConfigLost ? Promise.resolve(NO_ROOT) : look(() => readWhole(host.configFile));
  const room = look(() => examineRoot(settings, entries, root));
  const looks = {
    escapes: inRoot((root) => findEscapes(root)),
    tree: inRoot((root) => readTree(root, [`${root}/run`])),
    unitUser: inRoot((root) => unitUser(root, path, signal)),
    access: inRoot(() => accessToOwn(settings, signal)),
    config,
    otherConfigs: look(async () => await otherConfigs(settings, await room)),
    parser: look(async () => await parse(acts, await config)),
    host: look(() => acts.hostStatus(undefined, { signal: AbortSignal.timeout(LONG_LOOK_MS) })),
    mounts: look(() => containerMounts(settings, path, AbortSignal.timeout(LONG_LOOK_MS))),
    installed: look(() => installedHaproxy(binary(settings, path), signal)),
    tokens: look(() => lookAtTokenFile(tokenFile)),
    settingsFile: look(() => lookAtSettingsFile(given, environment)),
    disk: inRoot((root) => diskSpace(root, signal)),
    openFiles: look(softLimit),
    serve: look(async () => await lookAtServe(settings, await config, await room)),
    acme: look(async () => await lookAtAcme(settings, entries, await room)),
  };
  const seen = await allOf(looks);
  return { settings, now: Date.now(), uid: Deno.uid() ?? 0, root, room: await room, ...seen };
}

/** Behind a root that can't be used nothing is seen, and one check says why. */
const NO_ROOT = {
  error: { code: "STATE_IO", message: "HAPROXY_ROOT can't be used (see root)" },
} as const;

async function examineRoot(
  settings: Settings,
  entries: RoomEntries,
  root: Looked<string>,
): Promise<Examination> {
  if ("value" in root) return await examineInRoom(settings, entries, root.value);
  const { haproxy } = await examineInRoom(settings, entries, undefined);
  return { haproxy, files: NO_ROOT, domains: NO_ROOT, drift: NO_ROOT };
}

/** What each promise settles to, under its name. */
async function allOf<T extends Record<string, Promise<unknown>>>(
  promises: T,
): Promise<{ readonly [Name in keyof T]: Awaited<T[Name]> }> {
  const names = Object.keys(promises);
  const values = await Promise.all(Object.values(promises));
  return Object.fromEntries(values.map((value, i) => [names[i], value])) as {
    readonly [Name in keyof T]: Awaited<T[Name]>;
  };
}

async function realFolder(path: string): Promise<string> {
  try {
    const real = await Deno.realPath(path);
    if ((await Deno.stat(real)).isDirectory) return real;
  } catch (cause) {
    const missing = cause instanceof Deno.errors.NotFound;
    throw new AgentError("STATE_IO", missing ? "there is no such folder" : reason(cause));
  }
  throw new AgentError("STATE_IO", "it is not a folder");
}

/** Throws UNSUPPORTED, TIMEOUT. */
async function parse(acts: ProgramActs, config: Looked<string>): Promise<ConfigCheck> {
  if ("value" in config && looksUpSlots(config.value)) {
    throw new AgentError(
      "UNSUPPORTED",
      "HAProxy's own check would look host names up (see init-addr)",
    );
  }
  return await acts.checkConfig(undefined, { signal: AbortSignal.timeout(LONG_LOOK_MS) });
}

/** Of what the agent reads and writes what is there, certificates included. */
async function accessToOwn({ files }: Settings, signal: AbortSignal) {
  const { certsFolder } = files;
  // One that this user may not list is named itself.
  const entries = await Array.fromAsync(Deno.readDir(certsFolder)).catch(() => []);
  const certificates = entries.filter(({ name, isFile }) => isFile && name.endsWith(".pem"))
    .map(({ name }) => join(certsFolder, name));
  const there = await Promise.all(
    ownPaths(files).map(async (path) => await Deno.lstat(path).then(() => [path], () => [])),
  );
  return await accessOf([...there.flat(), ...certificates], signal);
}

/** Files that maps are used in, on this machine, none of which is haproxy.cfg. */
async function otherConfigs(
  { host: { configFile } }: Settings,
  room: Looked<Examination>,
): Promise<readonly string[]> {
  const found = "value" in room ? room.value.haproxy.configFiles : room;
  if ("error" in found) throw AgentError.fromData(found.error);
  const real = (path: string) => Deno.realPath(path).catch(() => undefined);
  const ours = await real(configFile);
  // In a container HAProxy has paths of its own, which are none of this machine.
  const theirs = await Promise.all(
    found.value.filter((path) => path.startsWith("/"))
      .map(async (path) => ({ path, real: await real(path) })),
  );
  if (theirs.some(({ real }) => real === ours)) return [];
  return theirs.filter(({ real }) => real !== undefined).map(({ path }) => path);
}

function binary({ host }: Settings, path: string): string {
  const program = findBinary(host, path);
  if (program !== undefined && isProgram(program)) return program;
  throw new AgentError("UNSUPPORTED", "There is no haproxy program on this machine.");
}

async function containerMounts({ host }: Settings, path: string, signal: AbortSignal) {
  const program = findProgram("podman", path);
  const { PATH: _, ...env } = ownEnvironment();
  const podman = openPodman({ program, name: host.container, env, signal, lookMs: LOOK_MS });
  const { mounts, problem } = await podman.container();
  if (problem !== undefined) throw new AgentError("UNSUPPORTED", problem);
  return await Promise.all(mounts.map(async (mount) => ({
    ...mount,
    isFile: await Deno.stat(mount.source).then(({ isFile }) => isFile, () => false),
  })));
}

const reason = (cause: unknown) => cause instanceof Error ? cause.message : String(cause);
