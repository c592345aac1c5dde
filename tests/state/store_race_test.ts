import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { fileLock } from "../../lib/state/lock.ts";
import { type Change, currentValue, type Desired, type Server } from "../../lib/state/model.ts";
import { openStore, type Store } from "../../lib/state/store.ts";
import { stateRoot, type TestRoot } from "./root.ts";

const SHAPE = { poolCount: 3, maxSlots: 2 };

/** What happens to a change after the journal has it. */
const ends = ["journal only", "checkpoint", "undone", "crash", "crash in the checkpoint"] as const;

interface Step {
  readonly end: typeof ends[number];
  readonly target: { readonly key: string } | { readonly pool: string; readonly slot: number };
  /** What shall stand there; undefined: nothing. */
  readonly value: number | undefined;
}

const step: fc.Arbitrary<Step> = fc.record({
  end: fc.constantFrom(...ends),
  target: fc.oneof(
    fc.record({ key: fc.constantFrom("a.test", "b.test", ".a.test") }),
    fc.record({ pool: fc.constantFrom("pool_1", "pool_2"), slot: fc.constantFrom(1, 2) }),
  ),
  value: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
});

function changeOf({ target, value }: Step, desired: Desired): Change {
  if ("key" in target) {
    const after = value === undefined ? null : `pool_${value}`;
    const change = { kind: "map", key: target.key, before: null, after } as const;
    return { ...change, before: currentValue(desired, change) as string | null };
  }
  const server: Server = {
    ip: `10.0.0.${value}`,
    httpPort: 80,
    weight: value ?? 0,
    state: "ready",
  };
  const change = {
    kind: "server",
    ...target,
    before: null,
    after: value === undefined ? null : server,
  } as const;
  return { ...change, before: currentValue(desired, change) as Server | null };
}

/** Everything that a store holds, as plain data. */
const content = (desired: Desired) => ({
  keys: Object.fromEntries([...desired.keys()].map((key) => [key, desired.backendOf(key)])),
  slots: Object.fromEntries(
    [...desired.pools()].flatMap(([pool, slots]) =>
      [...slots].map(([slot, server]) => [`${pool}_${slot}`, server])
    ),
  ),
});

/** One process: its own store and lock. What a crash leaves unfinished is carried out by whoever comes next. */
function agent({ files, paths }: TestRoot, room: number, expected: Map<string, unknown>) {
  let store = openStore(files, paths, SHAPE);
  const lock = fileLock(files, paths.lock, { pid: Deno.pid, room }, 20_000);

  async function checkpoint(current: Store) {
    await (await current.prepareCheckpoint()).commit();
  }

  async function carryOut(step: Step): Promise<void> {
    const left = await store.refresh();
    await store.mark("done", left.map(({ entry }) => entry.seq));
    const change = changeOf(step, store.desired);
    const name = JSON.stringify(step.target);
    assert.deepEqual(change.before ?? undefined, expected.get(name), `${name} before`);
    const undo = store.apply([change]);
    const seqs = await store.record([{ tool: "test", changes: [change] }]);
    if (step.end === "undone") {
      undo();
      return await store.mark("undone", seqs);
    }
    expected.set(name, change.after ?? undefined);
    if (step.end === "journal only") await store.mark("done", seqs);
    if (step.end === "checkpoint") await checkpoint(store);
    if (step.end === "crash in the checkpoint") await store.prepareCheckpoint();
    if (step.end.startsWith("crash")) {
      store.close();
      store = openStore(files, paths, SHAPE);
    }
  }

  return {
    run: (step: Step) => lock.hold(() => carryOut(step)),
    async read() {
      await store.refreshForReading();
      return content(store.desired);
    },
    /** The end of it: everything in the files. */
    async settle() {
      await lock.hold(async () => {
        await store.mark("done", (await store.refresh()).map(({ entry }) => entry.seq));
        await checkpoint(store);
        await store.tidy();
      });
      return content(store.desired);
    },
    close() {
      store.close();
      lock.close();
    },
  };
}

Deno.test("two stores on one root lose nothing of each other, whatever is undone or crashes in between", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 8 }),
      fc.array(step, { maxLength: 8 }),
      async (mine, yours) => {
        await using root = await stateRoot();
        const expected = new Map<string, unknown>();
        const [one, two] = [agent(root, 1, expected), agent(root, 2, expected)];
        await Promise.all([
          ...mine.map((step) => one.run(step)),
          ...yours.map((step) => two.run(step)),
        ]);
        const settled = await one.settle();
        assert.deepEqual(await two.read(), settled);
        const known = { ...settled.keys, ...settled.slots };
        const wanted = [...expected].flatMap(([name, value]) => {
          const { key, pool, slot } = JSON.parse(name);
          return value === undefined ? [] : [[key ?? `${pool}_${slot}`, value]];
        });
        assert.deepEqual(known, Object.fromEntries(wanted));
        assert.equal(await root.text("data/journal/changes.jsonl"), "");
        for (const name of await root.names("conf")) assert.doesNotMatch(name, /\.tmp$/);
        one.close();
        two.close();
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("a reader beside a writer sees each change whole: a domain never without its server", async () => {
  await using root = await stateRoot();
  const writer = openStore(root.files, root.paths, SHAPE);
  const reader = openStore(root.files, root.paths, SHAPE);
  const server: Server = { ip: "10.0.0.1", httpPort: 80, weight: 1, state: "ready" };
  let writing = true;
  const writes = (async () => {
    await writer.refresh();
    for (let i = 0; writing; i++) {
      const there = i % 2 === 1;
      const changes: Change[] = [
        {
          kind: "map",
          key: "a.test",
          before: there ? "pool_1" : null,
          after: there ? null : "pool_1",
        },
        {
          kind: "server",
          pool: "pool_1",
          slot: 1,
          before: there ? server : null,
          after: there ? null : server,
        },
      ];
      writer.apply(changes);
      await writer.mark("done", await writer.record([{ tool: "test", changes }]));
      if (i % 3 === 0) await (await writer.prepareCheckpoint()).commit();
    }
  })();
  const seen = new Set<boolean>();
  try {
    for (let reads = 0; reads < 200 || seen.size < 2; reads++) {
      // Where nothing has changed a read awaits nothing: let the writer go on.
      await nextTurn();
      await reader.refreshForReading();
      const routed = reader.desired.backendOf("a.test") !== undefined;
      assert.equal(reader.desired.slotsOf("pool_1").has(1), routed);
      seen.add(routed);
    }
  } finally {
    writing = false;
    await writes;
  }
  writer.close();
  reader.close();
});
