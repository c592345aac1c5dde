/** What a release is made by: the changelog, the workflows, the container's file. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import project from "../../deno.json" with { type: "json" };

const checkout = new URL("../../", import.meta.url).pathname;
const read = (path: string) => Deno.readTextFile(join(checkout, path));

/** The MCP clients of the tests bring a YAML parser along. */
function parseYaml(text: string): unknown {
  const clients = Deno.env.get("CLIENTS");
  assert.ok(clients, "CLIENTS is not set: run the tests by scripts/test.sh");
  return createRequire(join(clients, "package.json"))("yaml").parse(text);
}

interface Step {
  readonly uses?: string;
  readonly run?: string;
}
interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<string, {
      readonly "runs-on": string;
      readonly permissions?: Readonly<Record<string, string>>;
      readonly strategy?: { readonly matrix: { readonly runner: readonly string[] } };
      readonly steps: readonly Step[];
    }>
  >;
}

for (const name of ["ci.yml", "release.yml"]) {
  const workflow = async () => parseYaml(await read(`.github/workflows/${name}`)) as Workflow;
  const steps = async () => Object.values((await workflow()).jobs).flatMap(({ steps }) => steps);

  Deno.test(`${name} calls only scripts that there are`, async () => {
    const called = (await steps()).flatMap(({ run = "" }) =>
      run.match(/(?:\.ci|scripts)\/[\w./-]+/g) ?? []
    );
    assert.ok(called.includes(".ci/run"));
    for (const path of called) await assert.doesNotReject(Deno.stat(join(checkout, path)), path);
  });

  Deno.test(`${name} uses GitHub's own actions alone, each at one version`, async () => {
    const used = (await steps()).flatMap(({ uses }) => uses ?? []);
    assert.ok(used.length > 0);
    for (const action of used) assert.match(action, /^actions\/[a-z-]+@v\d+\.\d+\.\d+$/);
  });

  Deno.test(`${name} may read, and a job more only where it says so`, async () => {
    assert.deepEqual((await workflow()).permissions, { contents: "read" });
  });
}

Deno.test("release.yml builds, tests and attests on a machine of each kind", async () => {
  const { jobs: { build, publish } } = parseYaml(
    await read(".github/workflows/release.yml"),
  ) as Workflow;
  assert.deepEqual(build.strategy!.matrix.runner, ["ubuntu-24.04", "ubuntu-24.04-arm"]);
  const done = build.steps.map(({ uses, run }) => uses ?? run!);
  const order = [".ci/run", "scripts/compile.sh -o", "actions/attest", "actions/upload"]
    .map((part) => done.findIndex((step) => step.includes(part)));
  assert.ok(order.every((at, i) => at >= 0 && (i === 0 || at > order[i - 1])), done.join("\n"));
  assert.deepEqual(Object.keys(build.permissions!), ["contents", "id-token", "attestations"]);
  assert.match(publish.steps.map(({ run }) => run).join("\n"), /--notes-file .*install\.sh$/m);
});

Deno.test("CHANGELOG.md has a heading for deno.json's version, or one for what is to come", async () => {
  const text = await read("CHANGELOG.md");
  const headings = [...text.matchAll(/^## \[([^\]]+)\](?: - \d{4}-\d\d-\d\d)?$/gm)]
    .map(([, version]) => version);
  assert.ok(headings.some((name) => [project.version, "Unreleased"].includes(name)), text);
  assert.equal(headings.length, text.match(/^## /gm)!.length, "a heading of another form");
  assert.equal(new Set(headings).size, headings.length, "a version that stands there twice");
});

/** Of a checkout with this changelog. */
async function releaseNotes(changelog: string, tag: string) {
  const root = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    for (const name of ["scripts", "deno.json"]) {
      await Deno.symlink(join(checkout, name), join(root, name));
    }
    await Deno.writeTextFile(join(root, "CHANGELOG.md"), changelog);
    const { code, stdout, stderr } = await new Deno.Command("/bin/bash", {
      // By its place in that checkout, and not by where its link leads.
      args: ["scripts/release-notes.sh", tag],
      cwd: root,
      stdin: "null",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, notes: text(stdout), complaint: text(stderr) };
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const CHANGELOG = `# Changelog

## [Unreleased]

### Added

- Later.

## [${project.version}] - 2026-11-27

### Fixed

- Now.

## [0.0.1] - 2026-01-01

- Before.

[Unreleased]: https://example.com/
`;

Deno.test("release-notes.sh prints what the changelog says of this version, and no more", async () => {
  const { code, notes } = await releaseNotes(CHANGELOG, `v${project.version}`);
  assert.deepEqual([code, notes], [0, "### Fixed\n\n- Now.\n"]);
});

Deno.test("release-notes.sh refuses a tag of another version, and a version of which nothing is said", async () => {
  const other = await releaseNotes(CHANGELOG, "v9.9.9");
  assert.match(other.complaint, /the tag is v9\.9\.9, and deno\.json has the version/);
  const silent = await releaseNotes(
    CHANGELOG.replace("### Fixed\n\n- Now.\n", ""),
    `v${project.version}`,
  );
  assert.match(silent.complaint, /CHANGELOG\.md says nothing of/);
  assert.deepEqual([other.code, silent.code], [1, 1]);
});

Deno.test("the Dockerfile adds the executable alone, and runs it as nobody in particular", async () => {
  const lines = (await read("Dockerfile")).split("\n").filter((line) => /^[A-Z]/.test(line));
  const named = (word: string) => lines.filter((line) => line.startsWith(`${word} `));
  assert.deepEqual(named("COPY"), ["COPY --chmod=755 haproxy-mcp /usr/local/bin/haproxy-mcp"]);
  assert.deepEqual([named("ADD"), named("RUN")], [[], []]);
  assert.match(named("USER")[0], /^USER [1-9]\d*:[1-9]\d*$/);
  assert.equal(named("FROM").length, 1);
});
