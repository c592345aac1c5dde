import assert from "node:assert/strict";
import {
  parseOldWorkers,
  parseServersConn,
  parseWorkers,
  requestsOfOldWorkers,
} from "../../../lib/supervisor/host/old_workers.ts";
import { freePort } from "../../support/ports.ts";
import { hostSettings, makeFolder, never } from "./fixtures.ts";

Deno.test("parseWorkers takes the workers of both kinds, and no master; parseOldWorkers the old ones", () => {
  const text = `#<PID>          <type>          <reloads>       <uptime>        <version>
4963            master          1 [failed: 0]   0d00h00m01s     3.2.26-1
# workers
4970            worker          0               0d00h00m00s     3.2.26-1
# old workers
4955            worker          1               0d00h00m01s     3.2.26-1

`;
  assert.deepEqual(parseWorkers(text), [4970, 4955]);
  assert.deepEqual(parseOldWorkers(text), [4955]);
  assert.deepEqual(parseOldWorkers(`${text.split("# old")[0]}# programs\n\n`), []);
  assert.deepEqual(parseWorkers(""), []);
});

Deno.test("parseServersConn finds columns by their names, and takes servers with requests alone", () => {
  const table = (columns: string, ...rows: string[]) =>
    [`# bkname/svname bkid/svid ${columns}`, ...rows, "", ""].join("\n");
  const older = "addr port - purge_delay used_cur used_max need_est";
  const newer = "addr port - purge_delay served used_cur used_max need_est";
  const expected = [{ ip: "10.0.0.1", port: 80, requests: 2 }];
  const first = "pool_1/pool_1_1 5/1 10.0.0.1 80 - 5000";
  const idle = "pool_1/pool_1_2 5/2 ::1 80 - 5000";
  assert.deepEqual(parseServersConn(table(older, `${first} 2 3 4`, `${idle} 0 9 9`)), expected);
  assert.deepEqual(parseServersConn(table(newer, `${first} 1 2 3 4`, `${idle} 7 0 9 9`)), expected);
  assert.deepEqual(parseServersConn("Can't find the target PID matching the prefix '@!9'\n"), []);
  assert.deepEqual(parseServersConn(table(older, "pool_1/pool_1_1 5/1 $(x) 80 - 5000 1 1 1")), []);
});

Deno.test("requestsOfOldWorkers says where no master CLI can be asked, and refuses what is no pool", async () => {
  await using folder = await makeFolder();
  const ask = (pool: string, env: Record<string, string> = {}) =>
    requestsOfOldWorkers(hostSettings(folder.path, env), { pool, serving: 1 }, never);
  await assert.rejects(ask("pool_1"), { code: "UNSUPPORTED", message: /no master CLI at .*sock/ });
  await assert.rejects(ask("pool_1", { HAPROXY_MASTER: `127.0.0.1:${freePort()}` }), {
    code: "HAPROXY_UNREACHABLE",
  });
  for (const pool of ["pool_1; reload", "pool_0", "other", "pool_1\nreload"]) {
    await assert.rejects(ask(pool), { code: "VALIDATION" });
  }
});
