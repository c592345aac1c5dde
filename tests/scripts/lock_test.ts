/** What comes from npm is what deno.lock says, byte for byte, or nothing comes. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };

const checkout = new URL("../../", import.meta.url).pathname;

interface Lock {
  readonly npm: Readonly<Record<string, { integrity: string }>>;
}

const readLock = async (folder: string): Promise<Lock> =>
  JSON.parse(await Deno.readTextFile(join(folder, "deno.lock")));

Deno.test("the lock is frozen for every command of the checkout, and every package in it has its SHA-512", async () => {
  assert.equal(config.lock.frozen, true);
  const { npm } = await readLock(checkout);
  assert.ok(Object.keys(npm).length > 20);
  for (const [name, { integrity }] of Object.entries(npm)) {
    assert.match(integrity, /^sha512-[A-Za-z0-9+/]{86}==$/, name);
  }
});

Deno.test("every dependency in deno.json is from npm, at one exact version", () => {
  for (const [name, wanted] of Object.entries(config.imports)) {
    assert.match(wanted, new RegExp(`^npm:${name}@\\d+\\.\\d+\\.\\d+$`));
  }
});

/** The package `tiny` 1.0.0 as npm's registry serves it. */
async function packTiny(folder: string, code: string): Promise<Uint8Array<ArrayBuffer>> {
  await Deno.mkdir(join(folder, "package"));
  const manifest = { name: "tiny", version: "1.0.0", main: "index.js" };
  await Deno.writeTextFile(join(folder, "package/package.json"), JSON.stringify(manifest));
  await Deno.writeTextFile(join(folder, "package/index.js"), code);
  const { success, stdout } = await new Deno.Command("tar", {
    args: ["-cz", "-C", folder, "package"],
  }).output();
  assert.ok(success);
  return stdout;
}

const sha512 = (bytes: Uint8Array) =>
  `sha512-${createHash("sha512").update(bytes).digest("base64")}`;

/** A registry on the loopback that serves this tarball, and the right sum for it. */
function serveTiny(tarball: Uint8Array<ArrayBuffer>, number = "1.0.0") {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    if (request.url.endsWith(".tgz")) return new Response(tarball);
    const { origin } = new URL(request.url);
    const dist = { tarball: `${origin}/tiny/-/tiny-${number}.tgz`, integrity: sha512(tarball) };
    const version = { name: "tiny", version: number, dist };
    return Response.json({
      name: "tiny",
      "dist-tags": { latest: number },
      versions: { [number]: version },
    });
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  return { url, [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test("another version in deno.json than in deno.lock is refused, and the lock is left as it was", async () => {
  await using project = await temporaryProject();
  const tarball = await packTiny(project.folder, "");
  await using registry = serveTiny(tarball, "1.0.1");
  const { lock } = config;
  const imports = { tiny: "npm:tiny@1.0.1" };
  await Deno.writeTextFile(join(project.folder, "deno.json"), JSON.stringify({ lock, imports }));
  const locked = JSON.stringify({
    version: "5",
    specifiers: { "npm:tiny@1.0.0": "1.0.0" },
    npm: { "tiny@1.0.0": { integrity: sha512(tarball) } },
    workspace: { dependencies: ["npm:tiny@1.0.0"] },
  });
  await Deno.writeTextFile(join(project.folder, "deno.lock"), locked);
  const { code, stderr } = await project.deno(["install"], {
    DENO_DIR: join(project.folder, "cache"),
    NPM_CONFIG_REGISTRY: registry.url,
  });
  assert.equal(code, 1);
  assert.match(stderr, /The lockfile is out of date/);
  assert.equal(await Deno.readTextFile(join(project.folder, "deno.lock")), locked);
});

for (const tampered of [false, true]) {
  const what = tampered
    ? "a package whose bytes are not those of the lock is refused, whatever the registry says of them"
    : "a package whose bytes are those of the lock is taken";
  Deno.test(what, async () => {
    await using project = await temporaryProject();
    const tarball = await packTiny(project.folder, "module.exports = 1;\n");
    await using registry = serveTiny(tarball);
    const integrity = sha512(tampered ? tarball.slice(1) : tarball);
    const wanted = "npm:tiny@1.0.0";
    await Deno.writeTextFile(
      join(project.folder, "deno.json"),
      JSON.stringify({ imports: { tiny: wanted }, lock: { frozen: true } }),
    );
    await Deno.writeTextFile(
      join(project.folder, "deno.lock"),
      JSON.stringify({
        version: "5",
        specifiers: { [wanted]: "1.0.0" },
        npm: { "tiny@1.0.0": { integrity } },
        workspace: { dependencies: [wanted] },
      }),
    );
    const { code, stderr } = await project.deno(["install"], {
      DENO_DIR: join(project.folder, "cache"),
      NPM_CONFIG_REGISTRY: registry.url,
    });
    if (tampered) assert.match(stderr, /checksum|integrity/i);
    assert.equal(code, tampered ? 1 : 0, stderr);
  });
}

for (const tampered of [false, true]) {
  const what = tampered
    ? "npm-file.sh keeps nothing of a tarball that is not the pinned one"
    : "npm-file.sh takes one file of the tarball that is pinned";
  Deno.test(what, async () => {
    await using project = await temporaryProject();
    const tarball = await packTiny(project.folder, "one line\n");
    await using registry = serveTiny(tarball);
    const sum = createHash("sha512").update(tampered ? tarball.slice(1) : tarball).digest("hex");
    const file = join(project.folder, "out/file");
    const { code, stderr } = await new Deno.Command("bash", {
      args: ["scripts/lib/npm-file.sh", "tiny@1.0.0", "index.js", file, sum],
      cwd: checkout,
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", npm_config_registry: registry.url },
      stdin: "null",
    }).output();
    const text = await Deno.readTextFile(file).catch(() => undefined);
    const message = new TextDecoder().decode(stderr);
    assert.deepEqual([code, text], tampered ? [1, undefined] : [0, "one line\n"], message);
    if (tampered) assert.match(message, /^npm-file\.sh: the tiny@1\.0\.0 that npm brought is not/);
    const left = await Array.fromAsync(Deno.readDir(join(project.folder, "out")));
    assert.equal(left.length, tampered ? 0 : 1);
  });
}

async function temporaryProject() {
  const folder = await Deno.makeTempDir();
  return {
    folder,
    async deno(args: readonly string[], env: Readonly<Record<string, string>>) {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [...args],
        cwd: folder,
        clearEnv: true,
        env: { HOME: folder, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
        stdin: "null",
      }).output();
      return { code, stderr: new TextDecoder().decode(stderr) };
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
