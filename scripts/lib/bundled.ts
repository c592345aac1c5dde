/**
 * The npm packages that are in the executable: read from the source maps of its bundles, so what is really there and not
 * what the lock would allow.
 *
 * Some packages carry others inside, built in by their authors: @modelcontextprotocol/server has ajv, for example. No
 * lock knows of these, and no audit; so deno.json pins each at the version found there, and a version that isn't pinned
 * is an error here.
 */
import { dirname, join, resolve } from "node:path";

/** What deno.lock says. */
export interface Lock {
  readonly npm: Readonly<Record<string, LockedPackage>>;
}
interface LockedPackage {
  /** `sha512-…` of the package's tarball, base64. */
  readonly integrity: string;
  readonly dependencies?: readonly string[];
}

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** As in deno.lock; undefined for one that another package carries inside, whose tarball was never used. */
  readonly integrity?: string;
  /** Names of those that it depends on. */
  readonly dependencies: readonly string[];
}

interface Found {
  readonly name: string;
  /** Undefined where the path does not tell. */
  readonly version?: string;
  readonly inside: boolean;
}

/** `…/node_modules/.pnpm/ajv-formats@3.0.1_ajv@8.18.0/node_modules/ajv-formats/dist/index.js` */
const INSIDE = /\/node_modules\/\.pnpm\/([^/]+)\/node_modules\/((?:@[^/]+\/)?[^/]+)\//;
/** `hono/4.13.19/dist/hono.js`, `@noble/hashes/1.8.0/esm/sha2.js` */
const CACHED = /^((?:@[^/]+\/)?[^/]+)\/([^/]+)\//;

/**
 * @param sources paths below the folder of Deno's cache that holds npm's packages
 * @returns by name
 */
export function bundledPackages(sources: readonly string[], lock: Lock): BundledPackage[] {
  const packages = new Map<string, BundledPackage>();
  for (const source of sources) {
    const { name, version, inside } = packageOf(source);
    const versions = lockedVersions(lock, name)
      .filter((locked) => version === undefined || locked.version === version);
    const [locked] = versions;
    if (!locked || versions.some((other) => other.version !== locked.version)) {
      throw new Error(
        `${name}${version ? ` ${version}` : ""} is in the executable (${source}) and not in ` +
          `deno.lock: pin it in deno.json, so that it is audited and its licence is known.`,
      );
    }
    const key = `${name}@${locked.version}`;
    // The package itself wins over a copy of it inside of another.
    if (!inside || !packages.has(key)) {
      packages.set(key, inside ? { ...locked, integrity: undefined } : locked);
    }
  }
  return [...packages.entries()].sort(([a], [b]) => a < b ? -1 : 1).map(([, found]) => found);
}

function packageOf(source: string): Found {
  const [, folder, inside] = INSIDE.exec(source) ?? [];
  if (inside) {
    const version = folder.slice(inside.length + 1).split(/[_(]/)[0];
    return { name: inside, version, inside: true };
  }
  const [, name, version] = CACHED.exec(source) ?? [];
  if (!name || source.includes("/node_modules/")) {
    throw new Error(`${source} is in the executable, and of no package that could be told.`);
  }
  // A package's own source map may lead beside it: `@modelcontextprotocol/server/core-internal/src/…`.
  return { name, version: /^\d/.test(version) ? version.split("_")[0] : undefined, inside: false };
}

/** deno.lock's keys are `name@version`, with `_` and its peers behind where there are any. */
function lockedVersions(lock: Lock, name: string): BundledPackage[] {
  return Object.entries(lock.npm)
    .filter(([key]) => key.startsWith(`${name}@`))
    .map(([key, { integrity, dependencies = [] }]) => ({
      name,
      version: key.slice(name.length + 1).split("_")[0],
      integrity,
      dependencies: dependencies.map((dependency) => dependency.replace(/(?<=.)@.*/, "")),
    }));
}

/** Where Deno keeps npm's packages: the one folder below `npm/`, named after the registry. */
export async function npmCache(denoDir: string): Promise<string> {
  const root = join(await Deno.realPath(denoDir), "npm");
  const folders = await Array.fromAsync(Deno.readDir(root));
  if (folders.length !== 1) throw new Error(`${root} holds ${folders.length} registries, not one`);
  return join(root, folders[0].name);
}

/**
 * What the bundles below a folder were made of: the paths of their `.map` files below the cache.
 *
 * @param cache from npmCache()
 */
export async function bundledSources(bundles: string, cache: string): Promise<string[]> {
  const sources = new Set<string>();
  for await (const map of mapFiles(bundles)) {
    const json: { readonly sources: readonly string[] } = JSON.parse(await Deno.readTextFile(map));
    const paths = json.sources.map((source) => resolve(dirname(map), source));
    const own = paths.filter((path) => path.startsWith(`${cache}/`));
    if (paths.length === 0) throw new Error(`${map} names no source`);
    for (const path of own) sources.add(path.slice(cache.length + 1));
  }
  if (sources.size === 0) throw new Error(`no source map below ${bundles} names an npm package`);
  return [...sources];
}

async function* mapFiles(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* mapFiles(join(folder, name));
    else if (name.endsWith(".js.map")) yield join(folder, name);
  }
}
