/**
 * The official conformance suites against the test build: of the released suite all that is active, of the next one what
 * 2025-11-25 and 2026-07-28 require, and what it runs without scoring. The fixtures that they ask for are in
 * tests/support/rooms/conformance.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { clientFile, runClient } from "../support/clients.ts";
import { startAgent } from "../support/rooms/agent.ts";

interface Suite {
  readonly title: string;
  /** The package's name in tests/clients. */
  readonly program: string;
  readonly args: readonly string[];
  /** What it consists of: none may get lost on the way. */
  readonly scenarios: number;
  /** A file beside this one: lines `  - SCENARIO` or `  - SCENARIO:CHECK`, as the suite's own --expected-failures. */
  readonly expectedFailures?: string;
}

const REQUIREMENTS = ["--timeout", "30000", "--requirements"];

const SUITES: readonly Suite[] = [
  {
    title: "the active scenarios of 0.1.16",
    program: "conformance",
    args: ["--suite", "active"],
    scenarios: 30,
  },
  {
    title: "what 2025-11-25 requires",
    program: "conformance-next",
    args: [...REQUIREMENTS, "2025-11-25"],
    scenarios: 33,
  },
  {
    title: "what 2026-07-28 requires",
    program: "conformance-next",
    args: [...REQUIREMENTS, "2026-07-28"],
    scenarios: 50,
    expectedFailures: "expected_failures.yaml",
  },
];

interface Check {
  readonly id: string;
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO";
  readonly errorMessage?: string;
}

/** The checks of each scenario, from the files that the suite writes. */
async function readChecks(folder: string): Promise<Map<string, readonly Check[]>> {
  const checks = new Map<string, readonly Check[]>();
  for await (const { name } of Deno.readDir(folder)) {
    const [, scenario] = /^server-(.+)-\d{4}-\d\d-\d\dT/.exec(name)!;
    checks.set(
      scenario,
      JSON.parse(await Deno.readTextFile(join(folder, name, "checks.json"))),
    );
  }
  return checks;
}

async function readExpected(file: string | undefined): Promise<readonly string[]> {
  if (file === undefined) return [];
  const text = await Deno.readTextFile(new URL(file, import.meta.url));
  return [...text.matchAll(/^ {2}- (\S+)/gm)].map(([, entry]) => entry);
}

async function run({ program, args }: Suite, url: string) {
  let checks = new Map<string, readonly Check[]>();
  const { stdout, stderr } = await runClient(
    Deno.execPath(),
    // It wants Node 22, which a machine need not have; Deno runs it as well.
    (home) => [
      ...["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--cached-only"],
      ...["--node-modules-dir=manual", "--allow-read", "--allow-env", "--allow-sys"],
      ...[`--allow-write=${home}`, "--allow-net=127.0.0.1"],
      ...[clientFile(`${program}/dist/index.js`), "server", "--url", url],
      ...["-o", join(home, "results"), ...args],
    ],
    {
      env: { DENO_DIR: Deno.env.get("DENO_DIR") ?? "", DENO_NO_UPDATE_CHECK: "1" },
      look: async (home) => void (checks = await readChecks(join(home, "results"))),
    },
  );
  const started = [...stdout.matchAll(/^=== Running scenario: (\S+) ===$/gm)].map(([, s]) => s);
  return { checks, started, log: `${stdout}\n${stderr}` };
}

for (const suite of SUITES) {
  Deno.test(`conformance: ${suite.title}`, async () => {
    await using agent = await startAgent({
      env: {
        MCP_RATE: "0",
        MCP_TRUSTED_NETWORKS: "127.0.0.0/8,::1/128", // the suites can show no token
      },
    });
    const { checks, started, log } = await run(suite, agent.url);
    assert.equal(started.length, suite.scenarios, log);
    assert.deepEqual([...checks.keys()].sort(), started.sort(), log);

    const all = [...checks].flatMap(([scenario, checks]) =>
      checks.map((check) => ({ ...check, scenario, name: `${scenario}:${check.id}` }))
    );
    const expected = await readExpected(suite.expectedFailures);
    const bad = all.filter(({ status }) => status === "FAILURE" || status === "WARNING");
    const covers = (entry: string, { name, scenario }: typeof all[number]) =>
      entry === scenario || entry === name;
    assert.deepEqual(
      {
        unexpected: bad
          .filter((check) => !expected.some((entry) => covers(entry, check)))
          .map(({ name, errorMessage }) => `${name}: ${errorMessage}`),
        stale: expected.filter((entry) => !bad.some((check) => covers(entry, check))),
      },
      { unexpected: [], stale: [] },
    );
    const passed = all.filter(({ status }) => status === "SUCCESS").length;
    console.log(
      `${suite.title}: ${started.length} scenarios, ${passed} checks passed, ${bad.length} failed as expected`,
    );
  });
}
