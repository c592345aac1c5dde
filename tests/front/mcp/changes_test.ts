/** Who is told of what, and that a great change holds nobody up. */
import { deepEqual, equal, ok } from "node:assert/strict";
import type { Connection } from "../../../lib/front/mcp/asked.ts";
import { createChanges } from "../../../lib/front/mcp/changes.ts";

function connection() {
  const told: string[] = [];
  const server = {
    onclose: undefined as (() => void) | undefined,
    sendResourceListChanged: () => Promise.resolve(void told.push("list")),
    sendResourceUpdated: ({ uri }: { uri: string }) => Promise.resolve(void told.push(uri)),
  };
  const made = { server, subscribed: new Set<string>() } as unknown as Connection;
  return { connection: made, told, close: () => server.onclose?.() };
}

Deno.test("createChanges: each hears of what it subscribed to, stdio's client of all, and nobody after its end", async () => {
  const changes = createChanges();
  const [one, other, eager] = [connection(), connection(), connection()];
  changes.join(one.connection, "subscribed");
  changes.join(other.connection, "subscribed");
  changes.join(eager.connection, "everything");
  changes.subscribe(one.connection, "a");
  changes.subscribe(other.connection, "a");
  changes.subscribe(other.connection, "b");
  changes.unsubscribe(other.connection, "a");
  await changes.publish({ list: true, updated: ["a", "b", "c"] });
  deepEqual(one.told, ["list", "a"]);
  deepEqual(other.told, ["list", "b"]);
  deepEqual(eager.told, ["list", "a", "b", "c"]);
  other.close();
  await changes.publish({ list: true, updated: ["a", "b"] });
  deepEqual(other.told, ["list", "b"]);
  deepEqual(one.told, ["list", "a", "list", "a"]);
});

Deno.test("createChanges: who can't be told keeps nobody else from hearing, now and later", async () => {
  const changes = createChanges();
  const [broken, other] = [connection(), connection()];
  const fail = () => {
    throw new Error("no such capability");
  };
  Object.assign(broken.connection.server, {
    sendResourceListChanged: fail,
    sendResourceUpdated: fail,
  });
  for (const each of [broken, other]) {
    changes.join(each.connection, "subscribed");
    changes.subscribe(each.connection, "a");
  }
  await changes.publish({ list: true, updated: ["a"] });
  deepEqual(other.told, ["list", "a"]);
  const forget = changes.bus.subscribe(fail);
  await changes.publish({ list: true, updated: ["a"] }).catch(() => {});
  forget();
  await changes.publish({ list: false, updated: ["a"] });
  equal(other.told.at(-1), "a");
});

Deno.test("createChanges: the bus hears only of what a stream listens to, while it does", async () => {
  const changes = createChanges();
  const heard: string[] = [];
  changes.bus.subscribe((event) => heard.push("uri" in event ? event.uri : event.kind));
  const forget = changes.listen(["a"]);
  const more = changes.listen(["a", "b"]);
  await changes.publish({ list: true, updated: ["a", "b", "c"] });
  deepEqual(heard.splice(0), ["resources_list_changed", "a", "b"]);
  more();
  more();
  await changes.publish({ list: false, updated: ["a", "b"] });
  deepEqual(heard.splice(0), ["a"]);
  forget();
  await changes.publish({ list: false, updated: ["a", "b"] });
  deepEqual(heard, []);
});

Deno.test("createChanges: others get their turn while thousands are told, and changes stay in order", async () => {
  const changes = createChanges();
  const uris = Array.from({ length: 100_000 }, (_, i) => `uri ${i}`);
  const many = Array.from({ length: 1_000 }, connection);
  for (const { connection } of many) {
    changes.join(connection, "subscribed");
    changes.subscribe(connection, "uri 7");
  }
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const first = changes.publish({ list: false, updated: uris });
  await changes.publish({ list: true, updated: [] });
  await first;
  clearInterval(timer);
  ok(turns > 3, `${turns}`);
  for (const { told } of many) deepEqual(told, ["uri 7", "list"]);
  equal(many.length, 1_000);
});
