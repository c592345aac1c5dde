import assert from "node:assert/strict";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { RootFiles } from "../../lib/sandbox/files.ts";
import type { Change, Server } from "../../lib/state/model.ts";
import { openStore, type Store } from "../../lib/state/store.ts";
import { stateRoot, type TestRoot } from "./root.ts";

const SHAPE = { poolCount: 10, maxSlots: 4 };
const SERVER: Server = { ip: "10.0.0.1", httpPort: 80, weight: 1, state: "ready" };

const route = (key: string, before: string | null, after: string | null): Change => ({
  kind: "map",
  key,
  before,
  after,
});
const fill = (pool: string, slot: number, before: Server | null, after: Server | null): Change => ({
  kind: "server",
  pool,
  slot,
  before,
  after,
});

const open = ({ files, paths }: TestRoot, instead: RootFiles = files) =>
  openStore(instead, paths, SHAPE);

/** A change as the transaction makes it, up to its mark. */
async function change(store: Store, ...changes: Change[]): Promise<number[]> {
  store.apply(changes);
  return await store.record([{ tool: "test", changes }]);
}

async function checkpoint(store: Store): Promise<void> {
  await (await store.prepareCheckpoint()).commit();
}

/** Files whose map, when it is put in place, is followed by something else at once. */
function afterMapCommit({ files, paths }: TestRoot, then: () => Promise<void>): RootFiles {
  return {
    ...files,
    async stage(path, text, mode) {
      const staged = await files.stage(path, text, mode);
      if (path !== paths.map) return staged;
      return {
        ...staged,
        async commit() {
          await staged.commit();
          await then();
        },
      };
    },
  };
}

Deno.test("a checkpoint writes the three files and empties the journal", async () => {
  await using root = await stateRoot();
  const store = open(root);
  assert.deepEqual(await store.refresh(), []);
  const seqs = await change(
    store,
    route("a.test", null, "pool_1"),
    fill("pool_1", 1, null, SERVER),
  );
  await store.mark("done", seqs);
  assert.equal(store.dirty, true);
  await checkpoint(store);
  assert.equal(store.dirty, false);
  assert.equal(await root.text("conf/domains.map"), "a.test pool_1\n");
  assert.match(await root.text("conf/servers.json"), /"pool_1": \{\n {4}"1": \{"ip":"10\.0\.0\.1"/);
  assert.match(await root.text("conf/servers.state"), /^0 pool_1 0 pool_1_1 10\.0\.0\.1 2 4 1 /m);
  assert.equal(await root.text("data/journal/changes.jsonl"), "");
  assert.deepEqual(await root.names("conf"), ["domains.map", "servers.json", "servers.state"]);
  store.close();
});

Deno.test("only the files that a change is about are replaced", async () => {
  await using root = await stateRoot();
  const store = open(root);
  await store.refresh();
  await change(store, route("a.test", null, "pool_1"), fill("pool_1", 1, null, SERVER));
  await checkpoint(store);
  const servers = root.files.signature(root.paths.servers);
  const map = root.files.signature(root.paths.map);
  await store.refresh();
  await change(store, route("b.test", null, "pool_1"));
  await checkpoint(store);
  assert.equal(root.files.signature(root.paths.servers), servers);
  assert.notEqual(root.files.signature(root.paths.map), map);
  store.close();
});

Deno.test("what is recorded but not in the files is there after a restart, and answered once as unfinished", async () => {
  await using root = await stateRoot();
  const store = open(root);
  await store.refresh();
  await store.mark("done", await change(store, route("a.test", null, "pool_1")));
  await change(store, route("b.test", null, "pool_2"));
  store.close();

  const next = open(root);
  await next.refreshForReading();
  assert.equal(next.desired.backendOf("a.test"), "pool_1");
  assert.equal(next.desired.backendOf("b.test"), undefined, "it may still be under way");
  const [left, ...more] = await next.refresh();
  assert.deepEqual(left.entry.changes, [route("b.test", null, "pool_2")]);
  assert.deepEqual([left.applied, more.length], [true, 0]);
  assert.equal(next.desired.backendOf("b.test"), "pool_2");
  assert.deepEqual(await next.refresh(), []);
  next.close();
});

Deno.test("an undone entry is in nobody's memory, and undoing restores the files' text byte for byte", async () => {
  await using root = await stateRoot();
  const map = "# mine\r\n  a.test \t pool_1\nb.test pool_2\na.test pool_9\n";
  await root.write("conf/domains.map", map);
  const store = open(root);
  await store.refresh();
  const back = store.apply([
    route("a.test", "pool_1", "pool_3"),
    route("b.test", "pool_2", null),
    fill("pool_1", 1, null, SERVER),
  ]);
  const seqs = await store.record([{
    tool: "test",
    changes: [route("a.test", "pool_1", "pool_3")],
  }]);
  back();
  await store.mark("undone", seqs);
  assert.equal(store.desired.backendOf("b.test"), "pool_2");
  assert.equal(store.desired.slotsOf("pool_1").size, 0);

  const other = open(root);
  assert.deepEqual(await other.refresh(), []);
  assert.equal(other.desired.backendOf("a.test"), "pool_1");
  other.close();

  await change(store, route("c.test", null, "pool_3"));
  await checkpoint(store);
  assert.equal(await root.text("conf/domains.map"), `${map}c.test pool_3\n`);
  store.close();
});

Deno.test("a hand edit is picked up, and a change of something else keeps it", async () => {
  await using root = await stateRoot();
  const store = open(root);
  await store.refresh();
  await change(store, route("a.test", null, "pool_1"));
  await checkpoint(store);
  await root.write("conf/domains.map", "# mine\na.test pool_1\nhand.test pool_2\n");
  await root.write("conf/servers.json", '{"hand.test": {"1": {"ip": "10.0.0.9"}}}');
  await store.refreshForReading();
  assert.equal(store.desired.backendOf("hand.test"), "pool_2");
  assert.equal(store.desired.slotsOf("pool_2").get(1)?.ip, "10.0.0.9");
  await store.refresh();
  await change(store, route("b.test", null, "pool_3"));
  await checkpoint(store);
  assert.equal(
    await root.text("conf/domains.map"),
    "# mine\na.test pool_1\nhand.test pool_2\nb.test pool_3\n",
  );
  assert.match(await root.text("conf/servers.json"), /"pool_2".*\n.*10\.0\.0\.9/);
  store.close();
});

Deno.test("an edit between a change's preparation and its checkpoint is kept, and the change goes over it", async () => {
  await using root = await stateRoot();
  const store = open(root);
  await store.refresh();
  store.apply([route("a.test", null, "pool_1")]);
  const prepared = await store.prepareCheckpoint();
  await store.record([{ tool: "test", changes: [route("a.test", null, "pool_1")] }]);
  await root.write("conf/domains.map", "hand.test pool_2\n");
  await prepared.commit();
  assert.equal(await root.text("conf/domains.map"), "hand.test pool_2\na.test pool_1\n");
  assert.equal(store.desired.backendOf("hand.test"), "pool_2");
  assert.deepEqual(await root.names("conf"), ["domains.map", "servers.json", "servers.state"]);
  store.close();
});

for (
  const [name, path, text] of [
    ["the map", "conf/domains.map", "a.test pool_1\nhand.test pool_2\n"],
    ["servers.json", "conf/servers.json", '{"pool_2": {"1": {"ip": "10.0.0.9"}}}'],
  ]
) {
  Deno.test(`an edit of ${name} right behind a checkpoint of the map is not lost`, async () => {
    await using root = await stateRoot();
    let edits = 0;
    const store = open(
      root,
      afterMapCommit(root, async () => {
        if (edits++ === 0) await root.write(path, text);
      }),
    );
    await store.refresh();
    await change(store, route("a.test", null, "pool_1"));
    await checkpoint(store);
    await store.refresh();
    await change(store, route("b.test", null, "pool_3"), fill("pool_3", 1, null, SERVER));
    await checkpoint(store);
    assert.match(await root.text(path), /hand\.test pool_2|10\.0\.0\.9/);
    store.close();
  });
}

Deno.test("a value that a person changed wins over an entry of the journal that found another one", async () => {
  await using root = await stateRoot();
  const store = open(root);
  await store.refresh();
  await store.mark(
    "done",
    await change(store, route("a.test", null, "pool_1"), route("b.test", null, "pool_1")),
  );
  await root.write("conf/domains.map", "a.test pool_7\n");
  await store.refresh();
  await checkpoint(store);
  assert.equal(await root.text("conf/domains.map"), "a.test pool_7\nb.test pool_1\n");
  store.close();
});

Deno.test("a file broken by hand is STATE_CORRUPT each time it is asked for, and never overwritten", async () => {
  await using root = await stateRoot();
  const store = open(root);
  await store.refresh();
  await store.mark("done", await change(store, route("a.test", null, "pool_1")));
  await root.write("conf/domains.map", "broken\n");
  for (let i = 0; i < 2; i++) {
    await assert.rejects(store.refreshForReading(), { code: "STATE_CORRUPT" });
    await assert.rejects(store.refresh(), { code: "STATE_CORRUPT" });
    await assert.rejects(checkpoint(store), { code: "STATE_CORRUPT" });
  }
  assert.equal(await root.text("conf/domains.map"), "broken\n");
  await root.write("conf/domains.map", "hand.test pool_2\n");
  await store.refresh();
  await checkpoint(store);
  assert.equal(await root.text("conf/domains.map"), "hand.test pool_2\na.test pool_1\n");
  store.close();
});

Deno.test("a reader without the lock gets an answer however fast another store changes things", async () => {
  await using root = await stateRoot();
  const lines = Array.from({ length: 2_000 }, (_, i) => `d${i}.test pool_1\n`);
  await root.write("conf/domains.map", lines.join(""));
  const writer = open(root), reader = open(root);
  await writer.refresh();
  await checkpoint(writer);
  let writing = true;
  const writes = (async () => {
    for (let i = 0; writing; i++) {
      await writer.mark("done", await change(writer, route(`new${i}.test`, null, "pool_2")));
    }
  })();
  try {
    for (let last = 0, grown = 0; grown < 20;) {
      // Where nothing has changed a read awaits nothing: let the writer go on.
      await nextTurn();
      await reader.refreshForReading();
      const { size } = reader.desired.keysOf("pool_2");
      assert.ok(size >= last, `${size} keys after ${last}`);
      if (size > last) grown++;
      last = size;
    }
  } finally {
    writing = false;
    await writes;
  }
  writer.close();
  reader.close();
});

Deno.test("tidy removes what a crash left of staged files", async () => {
  await using root = await stateRoot();
  const store = open(root);
  await store.refresh();
  await change(store, route("a.test", null, "pool_1"), fill("pool_1", 1, null, SERVER));
  await store.prepareCheckpoint();
  assert.equal((await root.names("conf")).length, 5);
  await store.tidy();
  assert.deepEqual(await root.names("conf"), ["domains.map", "servers.json"]);
  store.close();
});

Deno.test("a folder in the place of a file fails the preparation, and nothing is left beside it", async () => {
  await using root = await stateRoot();
  const store = open(root);
  await store.refresh();
  await Deno.mkdir(join(root.root, "conf/servers.state"));
  store.apply([route("a.test", null, "pool_1"), fill("pool_1", 1, null, SERVER)]);
  await assert.rejects(store.prepareCheckpoint(), { code: "STATE_IO" });
  assert.deepEqual(await root.names("conf"), ["domains.map", "servers.json", "servers.state"]);
  store.close();
});
