import assert from "node:assert/strict";
import { parseServersState } from "../../lib/runtime/parse.ts";
import type { Server, Slots } from "../../lib/state/model.ts";
import { renderServerStateFile } from "../../lib/state/server_state_file.ts";
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
