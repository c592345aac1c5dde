import assert from "node:assert/strict";
import fc from "fast-check";
import type { Server, Slots } from "../../lib/state/model.ts";
import { parseServersFile, renderServersFile } from "../../lib/state/servers_file.ts";

const PATH = "/root/conf/servers.json";
const SHAPE = { poolCount: 12, maxSlots: 10 };
const DOMAINS: Readonly<Record<string, string>> = {
  "a.test": "pool_1",
  "www.a.test": "pool_1",
  "b.test": "pool_2",
  "other.test": "be_other",
  "far.test": "pool_13",
};

const parse = (text: string) => parseServersFile(text, PATH, SHAPE, (key) => DOMAINS[key]);

function corrupt(text: string, message: RegExp | string): void {
  assert.throws(() => parse(text), (error: { code: string; message: string }) => {
    assert.equal(error.code, "STATE_CORRUPT");
    if (typeof message === "string") assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  }, text);
}

const SERVER: Server = { ip: "10.0.0.1", httpPort: 80, weight: 1, state: "ready" };

Deno.test("a server's port, weight and state have the original's defaults", () => {
  assert.deepEqual(
    parse('{"pool_5": {"1": {"ip": "10.0.0.1"}}}'),
    new Map([["pool_5", new Map([[1, SERVER]])]]),
  );
});

Deno.test("all fields are read, and an address is brought to its one spelling", () => {
  const text =
    '{"pool_5": {"10": {"ip": "2001:DB8:0::1", "http_port": 8080, "weight": 0, "state": "drain"}}}';
  assert.deepEqual(
    parse(text).get("pool_5")?.get(10),
    { ip: "2001:db8::1", httpPort: 8080, weight: 0, state: "drain" },
  );
});

Deno.test("the original's form, keyed by domain, is the pool that the domain names", () => {
  const one = '{"1": {"ip": "10.0.0.1", "http_port": 80}}';
  assert.deepEqual(parse(`{"A.test": ${one}}`), new Map([["pool_1", new Map([[1, SERVER]])]]));
  const two = '{"2": {"ip": "10.0.0.2"}}';
  assert.deepEqual([
    ...parse(`{"a.test": ${one}, "www.a.test": ${two}, "pool_1": ${one}}`).get("pool_1")!.keys(),
  ], [1, 2]);
});

Deno.test("two names of one pool with different servers in a slot are refused", () => {
  corrupt(
    '{"a.test": {"1": {"ip": "10.0.0.1"}}, "www.a.test": {"1": {"ip": "10.0.0.2"}}}',
    `${PATH}, www.a.test.1: slot 1 of pool_1 stands here twice, with different servers.`,
  );
});

Deno.test("an empty object holds no servers", () => {
  for (const text of ["{}", " {}\n", '{"pool_1": {}}']) {
    assert.deepEqual(parse(text), new Map(), text);
  }
});

Deno.test("an empty file is refused: it would empty every pool", () => {
  for (const text of ["", " \n"]) {
    corrupt(text, `${PATH}, the whole: it is empty, which is not JSON.`);
  }
});

for (
  const [text, place] of [
    ['{"pool_1": x}', 'line 1, column 12: "x" is not JSON here.'],
    ['{\n  "pool_1": {"1": {"ip": "10.0.0.1",}}\n}\n', 'line 2, column 37: "}" is not JSON here.'],
    [
      '{\n  "pool_1": {\n    "1": {"ip": "10.0.0.1" "http_port": 80}\n  }\n}\n',
      'line 3, column 28: "\\"" is not JSON here.',
    ],
    ['{"pool_1": {}}\n{}\n', 'line 2, column 1: "{" is not JSON here.'],
    ["{'pool_1': {}}", 'line 1, column 2: "\'" is not JSON here.'],
    ['{\n  "pool_1": {\n', "line 3, column 1: the JSON ends too early."],
    ['{"pool_1', "line 1, column 9: the JSON ends too early."],
    ['{"pool_1": tru', "line 1, column 15: the JSON ends too early."],
    ['{"pool_1": "\\u12', "line 1, column 17: the JSON ends too early."],
    ["\0\0\0", 'line 1, column 1: "\\u0000" is not JSON here.'],
    ["\ufeff{}", 'line 1, column 1: "\ufeff" is not JSON here.'],
    ['{"a\nb": 1}', 'line 1, column 4: "\\n" is not JSON here.'],
  ]
) {
  Deno.test(`broken JSON is refused with its place: ${JSON.stringify(text)}`, () =>
    corrupt(text, `${PATH}, ${place}`));
}

Deno.test("the place of a wrong character is found anywhere in a large file", () => {
  const whole = renderServersFile(
    Array.from(
      { length: 12 },
      (_, i) => [`pool_${i + 1}`, new Map(Array.from({ length: 10 }, (_, j) => [j + 1, SERVER]))],
    ),
  );
  fc.assert(fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (at) => {
    // A character that is wrong everywhere, in a string too.
    const text = `${whole.slice(0, at)}\u0001${whole.slice(at)}`;
    const before = text.slice(0, at).split("\n");
    corrupt(
      text,
      `${PATH}, line ${before.length}, column ${
        before.at(-1)!.length + 1
      }: "\\u0001" is not JSON here.`,
    );
  }));
});

for (
  const [what, text, message] of [
    ["a list", "[]", /the whole: an object is expected/],
    ["null", "null", /the whole: an object is expected/],
    ["a pool that is a list", '{"pool_1": []}', /pool_1: an object is expected/],
    ["a server that is text", '{"pool_1": {"1": "10.0.0.1"}}', /pool_1\.1: an object is expected/],
    [
      "a pool beyond the count",
      '{"pool_13": {}}',
      /pool_13: pool_13 is not one of the pools pool_1 to pool_12/,
    ],
    ["a pool with leading zeros", '{"pool_01": {}}', /pool_01: /],
    [
      "a domain that the map lacks",
      '{"none.test": {}}',
      /none\.test: it is neither a pool nor a domain of the map/,
    ],
    [
      "a domain of another backend",
      '{"other.test": {}}',
      /other\.test: be_other is not one of the pools/,
    ],
    [
      "a domain of a pool beyond the count",
      '{"far.test": {}}',
      /far\.test: pool_13 is not one of the pools/,
    ],
    ["__proto__", '{"__proto__": {}}', /__proto__: it is neither a pool nor a domain/],
    [
      "slot 0",
      '{"pool_1": {"0": {"ip": "10.0.0.1"}}}',
      /pool_1\.0: "0" is not one of the slots 1 to 10/,
    ],
    ["slot 11", '{"pool_1": {"11": {"ip": "10.0.0.1"}}}', /pool_1\.11: /],
    ["slot 01", '{"pool_1": {"01": {"ip": "10.0.0.1"}}}', /pool_1\.01: /],
    [
      "an unknown field",
      '{"pool_1": {"1": {"ip": "10.0.0.1", "wieght": 2}}}',
      /pool_1\.1: "wieght" is not known here/,
    ],
    ["no ip", '{"pool_1": {"1": {"http_port": 80}}}', /pool_1\.1: ip undefined is not an address/],
    [
      "a list for the ip",
      '{"pool_1": {"1": {"ip": ["10.0.0.1"]}}}',
      /pool_1\.1: ip \["10\.0\.0\.1"\] is not an address/,
    ],
    [
      "a name for the ip",
      '{"pool_1": {"1": {"ip": "backend.test"}}}',
      /pool_1\.1: ip "backend\.test" can't be used/,
    ],
    ["a link-local ip", '{"pool_1": {"1": {"ip": "fe80::1"}}}', /link-local/],
    [
      "port 0",
      '{"pool_1": {"1": {"ip": "10.0.0.1", "http_port": 0}}}',
      /http_port 0 is not a port/,
    ],
    [
      "a port as text",
      '{"pool_1": {"1": {"ip": "10.0.0.1", "http_port": "80"}}}',
      /http_port "80" is not a port/,
    ],
    [
      "weight 257",
      '{"pool_1": {"1": {"ip": "10.0.0.1", "weight": 257}}}',
      /weight 257 is not 0 to 256/,
    ],
    [
      "an unknown state",
      '{"pool_1": {"1": {"ip": "10.0.0.1", "state": "up"}}}',
      /state "up" is not one of ready, drain, maint/,
    ],
  ] as const
) {
  Deno.test(`a file with ${what} is STATE_CORRUPT and says where`, () => corrupt(text, message));
}

const server: fc.Arbitrary<Server> = fc.record({
  ip: fc.constantFrom("10.0.0.1", "127.0.0.1", "2001:db8::1", "::1"),
  httpPort: fc.integer({ min: 1, max: 65535 }),
  weight: fc.integer({ min: 0, max: 256 }),
  state: fc.constantFrom("ready", "drain", "maint"),
}, { noNullPrototype: true });

Deno.test("what is rendered is read back as it was, pools and slots in the order of their numbers", () => {
  fc.assert(fc.property(
    fc.dictionary(
      fc.integer({ min: 1, max: 12 }).map((n) => `pool_${n}`),
      fc.dictionary(fc.integer({ min: 1, max: 10 }).map(String), server, { minKeys: 1 }),
    ),
    (pools) => {
      const given = Object.entries(pools).map(([pool, slots]): [string, Slots] => [
        pool,
        new Map(Object.entries(slots).map(([slot, server]) => [Number(slot), server])),
      ]);
      const text = renderServersFile(given.toReversed());
      assert.deepEqual(parse(text), new Map(given));
      assert.equal(renderServersFile(parse(text)), text);
      const order = [...text.matchAll(/"pool_(\d+)"/g)].map(([, n]) => Number(n));
      assert.deepEqual(order, order.toSorted((a, b) => a - b));
    },
  ));
});

Deno.test("the file is what a person can read: one server a line", () => {
  assert.equal(
    renderServersFile([["pool_10", new Map([[1, SERVER]])], [
      "pool_9",
      new Map([[10, SERVER], [2, SERVER]]),
    ]]),
    `{
  "pool_9": {
    "2": {"ip":"10.0.0.1","http_port":80,"weight":1,"state":"ready"},
    "10": {"ip":"10.0.0.1","http_port":80,"weight":1,"state":"ready"}
  },
  "pool_10": {
    "1": {"ip":"10.0.0.1","http_port":80,"weight":1,"state":"ready"}
  }
}
`,
  );
  assert.equal(renderServersFile([]), "{}\n");
});
