import assert from "node:assert/strict";
import { join } from "node:path";
import { npmLock, verdictOf } from "../../scripts/audit.ts";

const script = new URL("../../scripts/audit.ts", import.meta.url).pathname;

Deno.test("npmLock names each package of deno.lock with its version, two versions of one too", () => {
  const entry = { integrity: "sha512-x" };
  const { packages } = npmLock({
    npm: { "@a/b@1.0.0_c@2.0.0": entry, "c@2.0.0": entry, "c@3.1.0": entry },
  }) as { packages: Record<string, unknown> };
  assert.deepEqual(packages, {
    "": {
      name: "audited",
      version: "0.0.0",
      dependencies: { "@a/b": "1.0.0", c: "2.0.0", "c-3.1.0": "npm:c@3.1.0" },
    },
    "node_modules/@a/b": { name: "@a/b", version: "1.0.0" },
    "node_modules/c": { name: "c", version: "2.0.0" },
    "node_modules/c-3.1.0": { name: "c", version: "3.1.0" },
  });
});

Deno.test("verdictOf throws for what npm says of anything but advisories and the network", () => {
  assert.throws(() => verdictOf("{}"), /can't read/);
  assert.throws(
    () => verdictOf(`{"error":{"code":"ENOLOCK","summary":"This command requires a lockfile."}}`),
    /can't read/,
  );
  assert.throws(() => verdictOf("npm error"), SyntaxError);
});

/** As npm's advisories have it: GHSA-xvch-5gv4-984h. */
const MINIMIST = {
  id: 1097678,
  url: "https://github.com/advisories/GHSA-xvch-5gv4-984h",
  title: "Prototype Pollution in minimist",
  severity: "critical",
  vulnerable_versions: "<0.2.4",
  cwe: ["CWE-1321"],
  cvss: { score: 9.8, vectorString: null },
};

/** Runs the script on a lock of this one package, where the registry answers its question so. */
async function audit(version: string, answer: () => Response) {
  const asked: string[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async ({ method, body, url }) => {
      if (method !== "POST" || !body) return Response.json({}, { status: 404 });
      const { pathname } = new URL(url);
      asked.push(`${pathname} ${await new Response(unpacked(body)).text()}`);
      return answer();
    },
  );
  const registry = `http://127.0.0.1:${server.addr.port}`;
  return { asked, ...await runAudit(version, registry) };
}

const unpacked = (body: ReadableStream<Uint8Array<ArrayBuffer>>) =>
  body.pipeThrough(new DecompressionStream("gzip"));

async function runAudit(version: string, registry: string) {
  const folder = await Deno.makeTempDir();
  try {
    const npm = { [`minimist@${version}`]: { integrity: "sha512-x" } };
    await Deno.writeTextFile(join(folder, "deno.lock"), JSON.stringify({ version: "5", npm }));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", "--no-prompt", "--allow-read", "--allow-write"]
        .concat("--allow-run=npm", script, folder),
      clearEnv: true,
      env: {
        PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
        HOME: folder,
        NO_COLOR: "1",
        npm_config_registry: registry,
      },
      stdin: "null",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("audit.ts fails with package, range, severity and address of an advisory of moderate or above", async () => {
  const found = await audit("0.0.8", () => Response.json({ minimist: [MINIMIST] }));
  assert.deepEqual(found.asked, [
    `/-/npm/v1/security/advisories/bulk {"minimist":["0.0.8"]}`,
  ]);
  assert.equal(found.code, 1);
  assert.equal(
    found.stderr,
    "minimist <0.2.4: Prototype Pollution in minimist (critical), " +
      "https://github.com/advisories/GHSA-xvch-5gv4-984h\n",
  );
});

Deno.test("audit.ts is content with no advisory, one of another version, and a minor one", async () => {
  const answers = {
    "0.0.8": {},
    "1.2.8": { minimist: [MINIMIST] },
    "0.0.9": { minimist: [{ ...MINIMIST, severity: "low" }] },
  };
  for (const [version, answer] of Object.entries(answers)) {
    const { code, stdout, stderr } = await audit(version, () => Response.json(answer));
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /^audited: 1 packages, 0 advisories of severity moderate or above, [01] /);
  }
});

Deno.test("audit.ts says that it did not audit where a mirror has no advisories, and fails nothing", async () => {
  for (
    const answer of [
      () => new Response("", { status: 405 }),
      () => new Response("<html>"),
    ]
  ) {
    const { code, stdout, stderr } = await audit("0.0.8", answer);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /^not audited: npm's advisories can't be had from here \(.+\)\n$/);
  }
});

Deno.test("audit.ts fails where the registry refuses what it was asked", async () => {
  const { code, stderr } = await audit("0.0.8", () => new Response("", { status: 400 }));
  assert.equal(code, 1);
  assert.match(stderr, /npm audit answered what this script can't read/);
});

Deno.test("audit.ts says that it did not audit where nobody listens", async () => {
  const { code, stdout } = await runAudit("0.0.8", "http://127.0.0.1:1");
  assert.equal(code, 0);
  assert.match(stdout, /^not audited: .*ECONNREFUSED/);
});
