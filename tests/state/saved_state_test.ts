import assert from "node:assert/strict";
import { filledSlots, parseSavedState } from "../../lib/state/saved_state.ts";
import { renderServerStateFile } from "../../lib/state/server_state_file.ts";
import type { Server } from "../../lib/state/model.ts";

const shape = { poolCount: 3, maxSlots: 4 };
const server = (ip: string, changed: Partial<Server> = {}): Server => ({
  ip,
  httpPort: 80,
  weight: 1,
  state: "ready",
  ...changed,
});
const read = (text: string) => parseSavedState(text, "/x/servers.state", shape);

Deno.test("what is rendered is read: addresses, ports, weights and states", () => {
  const pools = new Map([
    ["pool_1", new Map([[1, server("10.0.0.1")], [4, server("::1", { weight: 0 })]])],
    [
      "pool_3",
      new Map([
        [2, server("10.0.0.2", { state: "drain", httpPort: 65535, weight: 256 })],
        [3, server("2001:db8::1", { state: "maint" })],
      ]),
    ],
  ]);
  assert.deepEqual(read(renderServerStateFile(pools)), pools);
});

Deno.test("no server at all is an empty state", () => {
  assert.deepEqual(read(renderServerStateFile([])), new Map());
});

Deno.test("empty slots and the servers of other backends are left out", () => {
  const row = (backend: string, name: string, ip: string, port: number, admin: number) =>
    `0 ${backend} 0 ${name} ${ip} 2 ${admin} 1 1 0 1 0 3 6 0 0 0 - ${port} - 0 0 - - 0\n`;
  const [version, header] = renderServerStateFile([]).split("\n");
  const text = `${version}\n${header}\n` + row("pool_1", "pool_1_1", "127.0.0.1", 1, 5) +
    row("pool_1", "pool_1_2", "0.0.0.0", 80, 5) + row("own", "s1", "10.0.0.1", 80, 0) +
    row("pool_2", "pool_2_1", "10.0.0.5", 81, 4);
  assert.deepEqual(
    read(text),
    new Map([["pool_2", new Map([[1, server("10.0.0.5", { httpPort: 81 })]])]]),
  );
});

Deno.test("what is no state file is STATE_CORRUPT, and says which file", () => {
  for (const text of ["", "1\n", "hello\nworld\n", '{"pool_1": {}}']) {
    assert.throws(() => read(text), { code: "STATE_CORRUPT", message: /^\/x\/servers\.state: / });
  }
});

Deno.test("a cut-off row is refused", () => {
  const whole = renderServerStateFile([["pool_1", new Map([[1, server("10.0.0.1")]])]]);
  const row = whole.trimEnd().split("\n")[2];
  const header = whole.slice(0, whole.indexOf(row));
  const cells = row.split(" ");
  for (let n = 4; n <= 18; n++) {
    assert.throws(() => read(header + cells.slice(0, n).join(" ") + "\n"), {
      code: "STATE_CORRUPT",
    }, String(n));
  }
});

Deno.test("filledSlots knows our pools and slots alone", () => {
  const running = { ip: "10.0.0.1", port: 80, weight: 1, state: "ready", up: true } as const;
  const servers = [
    { backend: "pool_9", server: "pool_9_1", ...running },
    { backend: "pool_1", server: "pool_1_9", ...running },
    { backend: "pool_1", server: "other", ...running },
    { backend: "pool_2", server: "pool_2_2", ...running },
  ];
  assert.deepEqual(
    filledSlots(servers, shape),
    new Map([["pool_2", new Map([[2, server("10.0.0.1")]])]]),
  );
});
