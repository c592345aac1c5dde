/**
 * Describes the executable that compile.sh makes: its licences, or what it is made of (CycloneDX).
 *
 * Usage: describe.ts licences BUNDLES BASE OUT
 *        describe.ts sbom BUNDLES BASE EXECUTABLE OUT
 *
 * BUNDLES is the folder of the bundles with their source maps, BASE the JSON of `Deno.version` in the executable.
 */
import { join } from "node:path";
import project from "../deno.json" with { type: "json" };
import { bundledPackages, bundledSources, npmCache } from "./lib/bundled.ts";
import { baseNotices, manifestOf, noticeOf, noticesText, permissive } from "./lib/notices.ts";
import { sbom } from "./lib/sbom.ts";

const [what, bundles, baseJson, ...files] = Deno.args;
const base: { readonly deno: string; readonly v8: string } = JSON.parse(baseJson);
const { name, version, license: licence } = project;
const lock = JSON.parse(await Deno.readTextFile(new URL("../deno.lock", import.meta.url)));
const cache = await npmCache(Deno.env.get("DENO_DIR")!);
const packages = bundledPackages(await bundledSources(bundles, cache), lock);

async function licences(): Promise<string> {
  const text = await Deno.readTextFile(new URL("../LICENSE", import.meta.url));
  const notices = await Promise.all(packages.map((one) => noticeOf(cache, one)));
  return noticesText({ title: `${name} ${version}`, licence, text }, [
    ...notices,
    ...await baseNotices(base),
  ]);
}

async function components(executable: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(executable));
  const described = await Promise.all(packages.map(async (one) => {
    const manifest = await manifestOf(join(cache, one.name, one.version));
    permissive(manifest);
    return { ...one, manifest };
  }));
  const sha256 = new Uint8Array(digest).toHex();
  return sbom({ name, version, licence, sha256, base, packages: described });
}

if (what === "licences") await Deno.writeTextFile(files[0], await licences());
else await Deno.writeTextFile(files[1], await components(files[0]));
