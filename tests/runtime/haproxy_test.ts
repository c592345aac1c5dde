import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalIp } from "../../lib/names/address.ts";
import {
  addMap,
  delMap,
  getMap,
  setServerAddress,
  setServerState,
  setServerWeight,
  showInfo,
  showMap,
  showMaps,
  showServersState,
  showServerStat,
} from "../../lib/runtime/commands.ts";
import { type RuntimeClient, runtimeClient } from "../../lib/runtime/connection.ts";
import { type Command, encode } from "../../lib/runtime/encode.ts";
import {
  parseGetMap,
  parseInfo,
  parseMap,
  parseMaps,
  parseServersState,
  parseStat,
} from "../../lib/runtime/parse.ts";
import { texts } from "../../lib/runtime/replies.ts";
import { eventually } from "../support/eventually.ts";
import { eachIsOneCommand, startMarked } from "../support/evidence/one_command.ts";
import { type Haproxy, HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";

const client = ({ options: { api } }: Haproxy): RuntimeClient =>
  runtimeClient({ host: api.address, port: api.port });

async function ask(haproxy: Haproxy, ...commands: Command[]): Promise<string[]> {
  return texts(commands, await client(haproxy).converse((talk) => talk.exchange(commands)));
}

/** Words that mean something to HAProxy's command line, or nearly; none that could change anything behind `show` or `get`. */
const word = fc.oneof(
  fc.stringMatching(/^[!-~]{1,12}$/),
  fc.string({ unit: "binary", minLength: 1, maxLength: 8 }),
  fc.constantFrom(
    "#",
    "#1",
    "@1",
    "@@1",
    "!1",
    "*",
    "<",
    "<<",
    "<<x",
    ";",
    "\\",
    "\\n",
    '"',
    "'",
    "\n",
    "\r",
    "\0",
    "$HOME",
    "${HOME}",
    "-",
    "--",
    "%s",
    "show",
    "quit",
    "prompt",
    "help",
    "~",
    "`id`",
    "|",
    "&",
  ),
);
const words = fc.tuple(
  fc.constantFrom(["show", "nosuch"], ["get", "map", "M"], ["show", "map"], ["get", "weight"]),
  fc.array(word, { minLength: 1, maxLength: 5 }),
).map(([first, rest]) => [...first, ...rest]);

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: whatever encode takes is one command, and the next one is still in step`, async () => {
    await using haproxy = await startMarked(version);
    await eachIsOneCommand(
      haproxy,
      { row: `words, HAProxy ${version}`, inputs: 10_000, taken: 0.15 },
      words.map((words) => () => encode(words, "data")),
    );
  });

  Deno.test(`${version}: 10,000 commands in one exchange get 10,000 replies, in order`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 1, slots: 1 });
    const map = haproxy.options.map;
    const keys = Array.from({ length: 5_000 }, (_, i) => `d${i}.test`);
    const replies = await ask(
      haproxy,
      ...keys.map((key, i) => addMap(map, key, `pool_${i}`)),
      ...keys.map((key) => getMap(map, key)),
    );
    assert.equal(replies.length, 10_000);
    assert.deepEqual(replies.slice(5_000).map(parseGetMap), keys.map((_, i) => `pool_${i}`));
    const [entries] = await ask(haproxy, showMap(map));
    assert.deepEqual(parseMap(entries), keys.map((key, i) => [key, `pool_${i}`]));
  });

  Deno.test(`${version}: show stat and show servers state of 1000 slots are read whole`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 100, slots: 10 });
    const all = encode(["show", "stat"], "data");
    const [stat, state] = await ask(haproxy, all, showServersState());
    assert.ok(stat.length > 65_536);
    const servers = parseStat(stat).filter(({ pxname, svname }) =>
      /^pool_\d+_\d+$/.test(svname) && svname.startsWith(pxname)
    );
    assert.equal(servers.length, 1_000);
    assert.ok(
      servers.every(({ status, scur, qcur, weight }) =>
        status.startsWith("MAINT") && scur === "0" && qcur !== undefined && weight !== ""
      ),
    );
    assert.equal(
      parseServersState(state).filter(({ backend }) => backend.startsWith("pool_")).length,
      1_000,
    );
  });

  Deno.test(`${version}: real replies are read`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 2, slots: 2 });
    const map = haproxy.options.map;
    await ask(
      haproxy,
      addMap(map, "a.test", "pool_1"),
      addMap(map, "gone.test", "pool_1"),
      delMap(map, "gone.test"),
      setServerAddress("pool_1", "pool_1_1", "2001:db8::1", 8080),
      setServerWeight("pool_1", "pool_1_1", 37),
      setServerState("pool_1", "pool_1_1", "drain"),
      setServerAddress("pool_1", "pool_1_2", "10.0.0.2", 65535),
      setServerState("pool_1", "pool_1_2", "ready"),
    );
    // HAProxy answers before a new address holds.
    const isThere = async () =>
      (await ask(haproxy, showServersState("pool_1"))).join().includes("10.0.0.2");
    await eventually(isThere);
    const [info, maps, there, absent, state, stat] = await ask(
      haproxy,
      showInfo(),
      showMaps(),
      getMap(map, "a.test"),
      getMap(map, "gone.test"),
      showServersState("pool_1"),
      showServerStat("pool_1"),
    );
    assert.equal(parseInfo(info).Pid, String(await haproxy.workerPid()));
    assert.ok(parseInfo(info).Version.startsWith(version));
    assert.deepEqual(parseMaps(maps).map(({ file }) => file), [map]);
    assert.deepEqual([parseGetMap(there), parseGetMap(absent)], ["pool_1", undefined]);
    assert.deepEqual(parseServersState(state).map(({ up: _, ...server }) => server), [
      {
        backend: "pool_1",
        server: "pool_1_1",
        ip: "2001:db8::1",
        port: 8080,
        state: "drain",
        weight: 37,
      },
      {
        backend: "pool_1",
        server: "pool_1_2",
        ip: "10.0.0.2",
        port: 65535,
        state: "ready",
        weight: 1,
      },
    ]);
    assert.deepEqual(parseStat(stat).map(({ svname, addr }) => [svname, addr]), [
      ["pool_1_1", "[2001:db8::1]:8080"],
      ["pool_1_2", "10.0.0.2:65535"],
    ]);
    await assert.rejects(ask(haproxy, setServerWeight("pool_9", "pool_9_1", 1)), {
      code: "HAPROXY_REJECTED",
    });
    await assert.rejects(ask(haproxy, delMap(map, "gone.test")), { code: "HAPROXY_REJECTED" });
  });
}

/** An IPv6 address with its groups written out, shortened or in capitals, and the last two perhaps as IPv4. */
const spelling = fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.boolean())
  .map(([address, capitals]) => capitals ? address.toUpperCase() : address);

Deno.test("3.2: an address in any spelling that HAProxy takes is canonically the one that it then shows", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const addresses = fc.sample(spelling, { numRuns: 400 });
  const commands = addresses.map((address) =>
    encode(["set", "server", "pool_1/pool_1_1", "addr", address, "port", "80"], "address")
  );
  const replies = await client(haproxy).converse((talk) => talk.exchange(commands));
  let taken = 0;
  addresses.forEach((address, i) => {
    const reply = replies[i];
    // What it was set to: `show servers state` in the same exchange still has the old address.
    const shown = reply.ok && /IP changed from '[^']*' to '([^']+)'/.exec(reply.text)?.[1];
    if (!shown) return;
    taken++;
    assert.equal(canonicalIp(shown), canonicalIp(address), address);
  });
  assert.ok(taken > 300, `HAProxy took only ${taken} of ${addresses.length}`);
});
