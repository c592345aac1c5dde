/** What scripts/compile.sh writes beside the executable, and that the same sources give the same bytes. */
import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import project from "../../deno.json" with { type: "json" };
import { bundledPackages, type Lock, npmCache } from "../../scripts/lib/bundled.ts";
import { type Notice, noticesText, permissive } from "../../scripts/lib/notices.ts";
import { type Described, sbom } from "../../scripts/lib/sbom.ts";
import { executable as agentPath } from "../support/agent.ts";

const checkout = new URL("../../", import.meta.url).pathname;
const executable = agentPath();

interface Component {
  readonly type: string;
  readonly name: string;
  readonly group?: string;
  readonly version?: string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses: readonly { readonly license: { readonly id: string } }[];
  readonly properties?: readonly { readonly name: string }[];
}
interface Sbom {
  readonly metadata: { readonly component: Component; readonly timestamp?: string };
  readonly serialNumber?: string;
  readonly components: readonly Component[];
}

const beside = (extension: string) => Deno.readTextFile(`${executable}.${extension}`);
const readSbom = async (): Promise<Sbom> => JSON.parse(await beside("cdx.json"));
const readLock = async (): Promise<Lock> =>
  JSON.parse(await Deno.readTextFile(join(checkout, "deno.lock")));

const LOCK: Lock = {
  npm: {
    "hono@4.13.19": { integrity: "sha512-hono" },
    "@a/server@2.4.0_hono@4.13.19": { integrity: "sha512-server", dependencies: ["hono@4.13.19"] },
    "ajv@8.18.0": { integrity: "sha512-ajv" },
    "zod@3.0.0": { integrity: "sha512-zod3" },
    "zod@4.6.7": { integrity: "sha512-zod4" },
  },
};

Deno.test("bundledPackages tells packages by their folder in Deno's cache, scoped ones and two versions too", () => {
  assert.deepEqual(
    bundledPackages([
      "zod/4.6.7/v4/index.js",
      "zod/3.0.0/index.js",
      "@a/server/2.4.0/dist/mod.js",
      "@a/server/2.4.0/dist/other.js",
      "@a/server/core-internal/src/beside.ts",
    ], LOCK),
    [
      {
        name: "@a/server",
        version: "2.4.0",
        integrity: "sha512-server",
        dependencies: ["hono"],
      },
      { name: "zod", version: "3.0.0", integrity: "sha512-zod3", dependencies: [] },
      { name: "zod", version: "4.6.7", integrity: "sha512-zod4", dependencies: [] },
    ],
  );
});

const inside = (folder: string, name: string) =>
  `@a/node_modules/.pnpm/${folder}/node_modules/${name}/lib/index.js`;

Deno.test("bundledPackages finds what a package carries inside, and gives it no sum of a tarball", () => {
  const [ajv] = bundledPackages([inside("ajv@8.18.0_peer@1.0.0", "ajv")], LOCK);
  assert.deepEqual(ajv, {
    name: "ajv",
    version: "8.18.0",
    integrity: undefined,
    dependencies: [],
  });
});

for (
  const [what, source, complaint] of [
    ["another version carried inside", inside("ajv@8.18.1", "ajv"), /ajv 8\.18\.1 is in the exe/],
    ["a package carried inside", inside("left@1.0.0", "left"), /left 1\.0\.0 is in the executable/],
    ["a package", "evil/1.0.0/index.js", /evil 1\.0\.0 is in the executable .* not in deno\.lock/],
    ["another version", "hono/5.0.0/index.js", /hono 5\.0\.0 is in the executable/],
    ["a third version", "zod/5.0.0/index.js", /zod 5\.0\.0 is in the executable/],
    ["a folder of no version", "zod/core/src/a.ts", /zod is in the executable/],
    ["a path of another shape", "a/1.0.0/node_modules/b/index.js", /of no package that could be/],
    ["a file", "index.js", /of no package that could be told/],
  ] as const
) {
  Deno.test(`bundledPackages throws for ${what} that deno.lock does not tell`, () => {
    assert.throws(() => bundledPackages([source], LOCK), complaint);
  });
}

Deno.test("permissive lets only licences through that ask for no more than their notice", () => {
  const manifest = { name: "x", version: "1.0.0" };
  assert.equal(permissive({ ...manifest, license: "MIT" }), "MIT");
  const refused = ["GPL-3.0-only", "MIT OR GPL-2.0-only", "UNLICENSED", "", undefined, ["MIT"]];
  for (const license of refused) {
    assert.throws(() => permissive({ ...manifest, license }), /x 1\.0\.0 has the licence/);
  }
});

Deno.test("noticesText lists all by name and brings each text", () => {
  const notice = (title: string): Notice => ({
    title,
    licence: "MIT",
    text: `text of ${title}\r\n`,
  });
  const text = noticesText(notice("own 1"), [notice("a 1"), notice("b 2")]);
  assert.match(text, /^own 1 is under the licence MIT\..*\n\n- a 1: MIT\n- b 2: MIT\n/);
  assert.match(text, /\na 1 \(MIT\)\n-+\n\ntext of a 1\n\n-+\nb 2 \(MIT\)\n-+\n\ntext of b 2\n$/);
});

/** The JSON schema that the CycloneDX library ships. */
async function schemaValidator() {
  const [, version] = project.imports["@cyclonedx/cyclonedx-library"].split(/(?<=.)@(?=\d)/);
  const cache = await npmCache(Deno.env.get("DENO_DIR")!);
  const folder = join(cache, "@cyclonedx/cyclonedx-library", version, "res/schema");
  const read = async (name: string) =>
    JSON.parse(await Deno.readTextFile(join(folder, `${name}.SNAPSHOT.schema.json`)));
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  for (const format of ["iri-reference", "idn-email"]) ajv.addFormat(format, true);
  for (const name of ["spdx", "jsf-0.82"]) {
    ajv.addSchema(await read(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  }
  return ajv.compile(await read("bom-1.6"));
}

Deno.test("the list of components is CycloneDX 1.6 by its JSON schema, which refuses a broken one", async () => {
  const validate = await schemaValidator();
  const list = await readSbom();
  assert.ok(validate(list), JSON.stringify(validate.errors, null, 1));
  assert.ok(!validate({ ...list, components: [{ name: "no type" }] }));
});

Deno.test("the list of components names this executable by its SHA-256, and no time", async () => {
  const { metadata, serialNumber } = await readSbom();
  const { name, version, hashes } = metadata.component;
  assert.deepEqual([name, version], [project.name, project.version]);
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(executable));
  assert.deepEqual(hashes, [{ alg: "SHA-256", content: new Uint8Array(digest).toHex() }]);
  assert.deepEqual([metadata.timestamp, serialNumber], [undefined, undefined]);
});

Deno.test("the list of components holds what lib/ and tools/ import, with the lock's sums, and nothing of the tests", async () => {
  const { npm } = await readLock();
  const { components } = await readSbom();
  const listed = new Map(components.map(({ purl, ...rest }) => [purl, rest]));
  for (const name of await runtimeImports()) {
    const purl = `pkg:npm/${project.imports[name].replace("npm:", "").replace(/^@/, "%40")}`;
    const sum = listed.get(purl)?.hashes?.find(({ alg }) => alg === "SHA-512")?.content;
    const key = Object.keys(npm).find((key) =>
      `${key}_`.startsWith(`${project.imports[name].slice(4)}_`)
    );
    assert.equal(sum, Uint8Array.fromBase64(npm[key!].integrity.slice(7)).toHex(), purl);
  }
  for (const name of ["fast-check", "cyclonedx-library", "client", "cross-spawn"]) {
    assert.ok(!components.some((component) => component.name === name), name);
  }
  assert.ok(listed.has("pkg:npm/ajv@8.18.0"), "what the MCP SDK carries inside");
  const base = components.find(({ type }) => type === "platform");
  assert.match(`${base?.name} ${base?.version}`, /^deno \d+\.\d+\.\d+$/);
});

type Imported = keyof typeof project.imports;

/** What the product's own files import from npm, but for types. */
async function runtimeImports(): Promise<Set<Imported>> {
  const names = new Set<Imported>();
  for (const folder of ["lib", "tools"]) {
    for await (const text of typeScript(join(checkout, folder))) {
      for (
        const [, name] of text.matchAll(/^(?:import|\}) (?!type ).*from "((?:@[^/"]+\/)?[^/".]+)/gm)
      ) {
        if (name in project.imports) names.add(name as Imported);
      }
    }
  }
  assert.ok(names.size >= 8, [...names].join());
  return names;
}

async function* typeScript(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* typeScript(join(folder, name));
    else if (name.endsWith(".ts")) yield await Deno.readTextFile(join(folder, name));
  }
}

Deno.test("sbom gives the same bytes for the same things, in whatever order they come", () => {
  const one = (name: string, dependencies: readonly string[] = []) => ({
    name,
    version: "1.0.0",
    integrity: `sha512-${btoa("x".repeat(64))}`,
    dependencies,
    manifest: { name, version: "1.0.0", license: "MIT" },
  });
  const described: Described = {
    name: "own",
    version: "1.0.0",
    licence: "MIT",
    sha256: "0".repeat(64),
    base: { deno: "2.6.10", v8: "14.5" },
    packages: [one("a", ["b"]), one("b")],
  };
  const text = sbom(described);
  assert.equal(sbom({ ...described, packages: described.packages.toReversed() }), text);
  assert.match(text, /"ref": "pkg:npm\/a@1\.0\.0",\s+"dependsOn": \[\s+"pkg:npm\/b@1\.0\.0"/);
});

Deno.test("the executable prints the licences that lie beside it, with the text of every component", async () => {
  const { code, stdout, stderr } = await new Deno.Command(executable, {
    args: ["licences"],
    clearEnv: true,
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
  assert.equal(text, await beside("licences.txt"));
  const { components } = await readSbom();
  for (const { group, name, version, licenses: [{ license }] } of components) {
    if (name === "deno") continue;
    const title = `${group ? `${group}/` : ""}${name} ${version}`;
    assert.ok(text.includes(`\n${title} (${license.id})\n`), title);
  }
  for (const base of [/^Deno \d+\.\d+\.\d+ \(MIT\)$/m, /^V8 \d[^ ]* \(BSD-3-Clause\)$/m]) {
    assert.match(text, base);
  }
  assert.match(text, /Copyright 2018-\d+ the Deno authors/);
});

Deno.test("the executable says which commit its sources are of, and the Deno that runs it", async () => {
  const { stdout } = await new Deno.Command(executable, { args: ["--version"], clearEnv: true })
    .output();
  const text = new TextDecoder().decode(stdout);
  const { components } = await readSbom();
  const { version } = components.find(({ type }) => type === "platform")!;
  const [, commit] = new RegExp(
    `^haproxy-mcp ${project.version} \\(commit ([0-9a-f]{12})(?:-dirty)?, Deno ${version}\\)\n$`,
  ).exec(text) ?? [];
  assert.ok(commit, text);
  const { code } = await new Deno.Command("git", {
    args: ["merge-base", "--is-ancestor", commit, "HEAD"],
    cwd: checkout,
  }).output();
  assert.equal(code, 0, `${commit} is no commit of this history`);
});

Deno.test("sha256sum -c takes the file beside the executable, and refuses another executable", async () => {
  const check = async (folder: string, file: string) =>
    (await new Deno.Command("sha256sum", { args: ["-c", file], cwd: folder, stderr: "null" })
      .output()).code;
  assert.equal(await check(dirname(executable), `${basename(executable)}.sha256`), 0);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(folder, "sum"), await beside("sha256"));
    await Deno.writeTextFile(join(folder, basename(executable)), "another");
    assert.equal(await check(folder, "sum"), 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a second compile, into another folder, gives the same bytes: executable, sum, components, licences", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const out = join(folder, basename(executable));
    const { code, stderr } = await new Deno.Command("bash", {
      args: ["scripts/compile.sh", "-o", out],
      cwd: checkout,
      stdin: "null",
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const files = (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
    const extensions = ["", ".cdx.json", ".licences.txt", ".sha256"];
    assert.deepEqual(files, extensions.map((extension) => basename(executable) + extension));
    const { code: differs } = await new Deno.Command("cmp", { args: [out, executable] }).output();
    assert.equal(differs, 0, "the executables differ");
    for (const extension of extensions.slice(1)) {
      const again = await Deno.readTextFile(out + extension);
      assert.equal(again, await Deno.readTextFile(executable + extension), extension);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
