/**
 * Load while changing: no request is lost, and none is answered by a server that is out of service, while the executable
 * changes what is asked for, and all beside it, and reloads HAProxy.
 */
import assert from "node:assert/strict";
import {
  LOAD_RUN_KINDS,
  type LoadRunReport,
  type LoadRunWishes,
  loadWhileChanging,
} from "../support/evidence/load_run.ts";
import { FULL, record, seedFor } from "../support/evidence/record.ts";
import { namespaceProblem, runInNamespace } from "../support/namespace.ts";

/** HTTP/3 is promised on these. */
const VERSIONS = ["3.2", "3.4"] as const;

/** Changes a second that one core carries beside the load. */
const RATE = 18;
const ALONE = FULL
  ? { seconds: 60, changes: 1000, reloads: 10, rate: RATE }
  : { seconds: 11, changes: 200, reloads: 3, rate: RATE };
const ON_443 = FULL
  ? { seconds: 30, changes: 500, reloads: 10, rate: RATE }
  : { seconds: 5, changes: 50, reloads: 2, rate: RATE };

function recordRun(where: string, report: LoadRunReport): void {
  const { changes, reloads, refused, kinds, differences } = report;
  const calls = { changes, reloads, lost: differences.length, failed: refused.length };
  record("Requests during change", `${where}, calls`, calls);
  for (const kind of LOAD_RUN_KINDS) {
    const { requests, retried, explained, failed } = kinds[kind];
    for (const line of [...explained, ...failed]) console.log(`haproxy-mcp: ${where}: ${line}`);
    const all = { requests, changes, reloads, retried };
    const counts = { ...all, explained: explained.length, failed: failed.length };
    console.log(`haproxy-mcp: ${where}, ${kind}: ${JSON.stringify(counts)}`);
    record("Requests during change", `${where}, ${kind}`, counts);
  }
}

function assertNothingLost(
  { changes, reloads, refused, kinds, differences }: LoadRunReport,
  wanted: Pick<LoadRunWishes, "changes" | "reloads">,
): void {
  assert.deepEqual(refused, []);
  for (const kind of LOAD_RUN_KINDS) {
    const { requests, failed } = kinds[kind];
    assert.deepEqual(failed, [], kind);
    // Else it has shown nothing.
    assert.ok(requests >= wanted.reloads, `${kind}: ${requests}`);
  }
  assert.deepEqual(differences, []);
  assert.ok(changes >= wanted.changes, `${changes} changes`);
  assert.equal(reloads, wanted.reloads);
}

for (const version of VERSIONS) {
  Deno.test(`${version}: no request is lost, or answered out of service, while all is changed and reloaded`, async () => {
    const seed = seedFor(`load while changing, ${version}`);
    const report = await loadWhileChanging({ version, seed, ...ALONE });
    recordRun(`HAProxy ${version}`, report);
    assertNothingLost(report, ALONE);
  });
}

const problem = await namespaceProblem();
if (problem !== undefined) {
  console.log(`haproxy-mcp: load on port 443 is skipped: ${problem}`);
}

async function runOn443(wishes: LoadRunWishes): Promise<LoadRunReport> {
  const init = { httpPort: 80, httpsPort: 443, account: { user: "nobody", group: "nogroup" } };
  const module = new URL("../support/evidence/load_run_process.ts", import.meta.url);
  return JSON.parse(await runInNamespace(module, [JSON.stringify({ ...wishes, init })]));
}

for (const version of VERSIONS) {
  Deno.test({
    name: `${version}: nor on ports 80 and 443, with workers that have become a plain user`,
    ignore: problem !== undefined,
    async fn() {
      const seed = seedFor(`load while changing on 443, ${version}`);
      const report = await runOn443({ version, seed, ...ON_443 });
      recordRun(`HAProxy ${version} on 443 as nobody`, report);
      const CAP_NET_BIND_SERVICE = "0000000000000400";
      const { uid, capabilities } = report.worker;
      assert.ok(uid > 0);
      assert.equal(capabilities, CAP_NET_BIND_SERVICE);
      assertNothingLost(report, ON_443);
    },
  });
}
