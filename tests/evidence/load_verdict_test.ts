/** What the load's evidence rests on: who was in service when, and which failures are HAProxy's own. */
import assert from "node:assert/strict";
import { judgeLoad } from "../support/evidence/load_verdict.ts";
import { poolHistory } from "../support/evidence/pool_history.ts";
import type { Failure } from "../support/load/tally.ts";

Deno.test("a server may answer what was on its way before the answer that it is out of service, and nothing later", async () => {
  const history = poolHistory();
  const tick = async () => {
    const before = Date.now();
    while (Date.now() === before) await new Promise((resolve) => setTimeout(resolve, 1));
    return Date.now();
  };
  const early = await tick();
  await tick();
  history.opens("one");
  const during = await tick();
  history.closed("one");
  const late = await tick();
  const of = (began: number, ended: number) => history.of({ path: "/", began, ended });
  assert.deepEqual(of(early, early), []);
  assert.deepEqual(of(early, during), ["one"]);
  assert.deepEqual(of(during, late), ["one"]);
  assert.deepEqual(of(late, late), []);
  history.opens("one");
  assert.deepEqual(of(late, await tick()), ["one"]);
  assert.throws(() => history.closed("two"));
});

const LOST: Failure = {
  path: "/?request=h3-1",
  began: 1_000,
  ended: 16_000,
  reason: "curl exit 28: Connection timed out",
  unsent: true,
};
const LOG = 'haproxy[7]: … 503 217 - - SC-- … "GET https://a.test/?request=h3-1 HTTP/3.0"\n';
const RELOADS = [{ from: 900, until: 1_100 }];

Deno.test("HAProxy's own is a handshake of HTTP/3 that a reload meets, and nothing else", () => {
  const judge = (change: Partial<Failure>, log = "", kind: "h3" | "h2" = "h3") => {
    const failures = [{ ...LOST, ...change }];
    return judgeLoad(kind, { answered: 5, failures, reloads: RELOADS, log });
  };
  const own = judge({});
  assert.deepEqual([own.requests, own.explained.length, own.failed.length], [6, 1, 0]);
  for (
    const other of [
      judge({ unsent: false }),
      judge({ began: 1_101 }),
      judge({}, LOG),
      judge({}, "", "h2"),
    ]
  ) assert.deepEqual([other.explained.length, other.failed.length], [0, 1]);
});

Deno.test("a failure is told with what HAProxy's log has of it", () => {
  const seen = { answered: 0, failures: [LOST], reloads: [] };
  const line = `h3 /?request=h3-1 00:00:01.000 to 00:00:16.000: ${LOST.reason}; HAProxy's log: `;
  assert.deepEqual(judgeLoad("h3", { ...seen, log: "" }).failed, [`${line}nothing`]);
  const longer = LOG.replaceAll("h3-1", "h3-11");
  assert.deepEqual(judgeLoad("h3", { ...seen, log: LOG + longer }).failed, [
    `${line}${LOG.trimEnd()}`,
  ]);
});
