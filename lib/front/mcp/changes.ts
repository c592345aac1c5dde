/** From what changed on disk to the notifications of each era. Only what somebody has subscribed to is sent, in slices. */
import { InMemoryServerEventBus, type ServerEventBus } from "@modelcontextprotocol/server";
import { log } from "../../log.ts";
import { pause } from "../../pause.ts";
import type { ResourceChanges } from "../../resource_definition.ts";
import type { Connection } from "./asked.ts";

export interface Changes {
  /** On it hang the streams of subscriptions/listen. */
  readonly bus: ServerEventBus;
  /** Resolves once everybody has been told. */
  publish(changes: ResourceChanges): Promise<void>;
  /** From now on the connection is told, until it leaves: of everything, or of what it subscribes to. */
  join(connection: Connection, of: "everything" | "subscribed"): void;
  subscribe(connection: Connection, uri: string): void;
  unsubscribe(connection: Connection, uri: string): void;
  /** A stream of subscriptions/listen names these. The answer forgets them. */
  listen(uris: readonly string[]): () => void;
}

/** So many notifications, then whatever else waits gets its turn. */
const SLICE = 200;

export function createChanges(): Changes {
  const bus = new InMemoryServerEventBus();
  const connections = new Map<Connection, "everything" | "subscribed">();
  const subscribers = new Map<string, Set<Connection>>();
  const listened = new Map<string, number>();
  let turn: Promise<void> = Promise.resolve();
  let sent = 0;

  const send = async (notify: () => Promise<void>) => {
    void Promise.try(notify)
      .catch((cause) => log.debug(`MCP: a notification was not sent: ${cause.message}`));
    if (++sent % SLICE === 0) await pause(0);
  };

  async function tellOfList(): Promise<void> {
    bus.publish({ kind: "resources_list_changed" });
    for (const { server } of [...connections.keys()]) {
      await send(() => server.sendResourceListChanged());
    }
  }

  async function tellOf(uri: string, eager: readonly Connection[]): Promise<void> {
    if (listened.has(uri)) {
      bus.publish({ kind: "resource_updated", uri });
      // Each stream has looked whether it is one of its own.
      if (++sent % 20 === 0) await pause(0);
    }
    for (const { server } of [...eager, ...subscribers.get(uri) ?? []]) {
      await send(() => server.sendResourceUpdated({ uri }));
    }
  }

  async function tell({ list, updated }: ResourceChanges): Promise<void> {
    if (list) await tellOfList();
    const eager = [...connections].filter(([, of]) => of === "everything").map(([each]) => each);
    for (const uri of updated) await tellOf(uri, eager);
  }

  function leave(connection: Connection): void {
    connections.delete(connection);
    for (const uri of [...connection.subscribed]) unsubscribe(connection, uri);
  }

  function unsubscribe(connection: Connection, uri: string): void {
    connection.subscribed.delete(uri);
    const others = subscribers.get(uri);
    others?.delete(connection);
    if (others?.size === 0) subscribers.delete(uri);
  }

  return {
    bus,
    publish(changes) {
      const mine = turn.then(() => tell(changes));
      turn = mine.catch((cause) => log.error(`MCP: nobody was told of a change: ${cause.message}`));
      return mine;
    },
    join(connection, of) {
      connections.set(connection, of);
      connection.server.onclose = () => leave(connection);
    },
    subscribe(connection, uri) {
      connection.subscribed.add(uri);
      const others = subscribers.get(uri);
      if (others) others.add(connection);
      else subscribers.set(uri, new Set([connection]));
    },
    unsubscribe,
    listen(uris) {
      for (const uri of uris) listened.set(uri, (listened.get(uri) ?? 0) + 1);
      let forgotten = false;
      return () => {
        if (forgotten) return;
        forgotten = true;
        for (const uri of uris) {
          const left = (listened.get(uri) ?? 1) - 1;
          if (left > 0) listened.set(uri, left);
          else listened.delete(uri);
        }
      };
    },
  };
}
