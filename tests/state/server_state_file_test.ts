import assert from "node:assert/strict";
import { parseServersState } from "../../lib/runtime/parse.ts";
import type { Server, Slots } from "../../lib/state/model.ts";
import { renderServerStateFile, serverStateFlaw } from "../../lib/state/server_state_file.ts";
import { HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";

const server = (ip: string, httpPort: number, weight: number, state: Server["state"]): Server => ({
  ip,
  httpPort,
  weight,
  state,
});

const POOLS: readonly (readonly [string, Slots])[] = [
  [
    "pool_1",
    new Map([
      [1, server("10.0.0.1", 80, 1, "ready")],
      [2, server("10.0.0.2", 65535, 0, "ready")],
      [3, server("10.0.0.3", 1, 37, "drain")],
    ]),
  ],
  [
    "pool_2",
    new Map([
      [1, server("2001:db8::1", 8080, 256, "ready")],
      [2, server("::1", 8081, 37, "maint")],
      [4, server("64:ff9b::a00:1", 8082, 0, "drain")],
    ]),
  ],
];

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: HAProxy comes up with each address, port, weight and state of the file`, async () => {
    await using haproxy = await startHaproxy({
      version,
      pools: 3,
      slots: 4,
      state: renderServerStateFile(POOLS),
    });
    const look = async () => {
      const running = parseServersState((await haproxy.runtime("show servers state")).trimEnd())
        .filter(({ backend }) => backend.startsWith("pool_"));
      assert.equal(running.length, 12);
      for (const [pool, slots] of POOLS) {
        for (const [slot, { ip, httpPort, weight, state }] of slots) {
          const { up: _, ...found } = running.find(({ server }) => server === `${pool}_${slot}`)!;
          assert.deepEqual(found, {
            backend: pool,
            server: `${pool}_${slot}`,
            ip,
            port: httpPort,
            weight,
            state,
          });
        }
      }
      const empty = running.filter(({ server }) =>
        !POOLS.some(([pool, slots]) =>
          [...slots.keys()].some((slot) => server === `${pool}_${slot}`)
        )
      );
      assert.deepEqual(
        empty.map(({ ip, port, state }) => [ip, port, state]),
        Array(6).fill(["127.0.0.1", 1, "maint"]),
      );
    };
    await look();
    await haproxy.reload();
    await look();
    assert.doesNotMatch(await haproxy.logs(), /corrupted|Can't get version/);
  });
}

Deno.test("the file of no servers is a version and a header, LF only", () => {
  const text = renderServerStateFile([]);
  assert.match(text, /^1\n# be_id .* srv_agent_port\n$/);
  assert.doesNotMatch(renderServerStateFile(POOLS), /\r/);
});

const GOOD = renderServerStateFile(POOLS);

Deno.test("serverStateFlaw finds none in what we write, whatever its comments", () => {
  assert.equal(serverStateFlaw(GOOD, POOLS), undefined);
  assert.equal(
    serverStateFlaw(GOOD.replace(/^# .*$/m, "# another\n\n  # and more"), POOLS),
    undefined,
  );
  assert.equal(serverStateFlaw("1\n# Made by init.\n", []), undefined);
});

const FLAWS: readonly (readonly [what: string, text: string, RegExp])[] = [
  ["other line ends", GOOD.replaceAll("\n", "\r\n"), /^it has the line ends of Windows/],
  ["another version", GOOD.replace("1\n", "2\n"), /^its first line is not 1/],
  ["nothing in it", "", /^its first line is not 1/],
  ["a last line that was cut off", GOOD.slice(0, -1), /^its last line has no end/],
  [
    "a line that is no server's",
    `${GOOD}0 pool_9 0 pool_9_1 10.0.0.9 2 4 1 1 0 1 0 3 6 0 0 0 slot.invalid 80\n`,
    /^line 9 is no server's/,
  ],
];

for (const [what, text, flaw] of FLAWS) {
  Deno.test(`serverStateFlaw and HAProxy agree on a file with ${what}`, async () => {
    const found = serverStateFlaw(text, POOLS);
    assert.match(found!, flaw);
    assert.match(found!, /HAProxy ignores the whole file$/);
    await using haproxy = await startHaproxy({ pools: 2, slots: 4, state: text });
    assert.match(
      await haproxy.runtime("show startup-logs"),
      /(corrupted|Empty|version of the) global server/,
    );
    const running = parseServersState((await haproxy.runtime("show servers state")).trimEnd());
    assert.ok(running.every(({ ip }) => ip === "127.0.0.1"));
  });
}

Deno.test("serverStateFlaw tells other servers than those wanted", () => {
  for (
    const [text, pools] of [[GOOD, []], [renderServerStateFile([]), POOLS], [
      GOOD.replace(" 10.0.0.1 ", " 10.0.0.9 "),
      POOLS,
    ]] as const
  ) {
    assert.match(serverStateFlaw(text, pools)!, /^it is not what servers\.json says/);
  }
});
