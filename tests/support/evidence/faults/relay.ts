/**
 * Stands between the agent and a real Runtime API. It counts what the agent says, conversation by conversation and command
 * by command, and can be told at each what becomes of it.
 */
import { setTimeout as delay } from "node:timers/promises";

/** `elsewhere`: another Runtime API answers instead. */
export type ConversationFate = "pass" | "close" | { readonly elsewhere: number };
/** `cut`: sent on, and of the reply half arrives before the connection is closed. */
export type CommandFate = "pass" | "cut";

export interface Rules {
  /** @param at counted from 1 */
  conversation?(at: number): ConversationFate | Promise<ConversationFate>;
  /** @param at counted from 1, over all conversations; the two commands of each greeting are none */
  command?(at: number, line: string): CommandFate | Promise<CommandFate>;
}

export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Since the rules were set. */
  readonly conversations: number;
  readonly commands: readonly string[];
  /** Counts from 1 again. */
  set(rules: Rules): void;
}

/** A reply counts as whole when nothing more came for that long. */
const QUIET_MS = 20;
const GREETING = new Set(["prompt i", "set severity-output number"]);

export function openRelay(
  target: { readonly address: string; readonly port: number },
): Relay {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.TcpConn>();
  const served = new Set<Promise<void>>();
  let rules: Rules = {};
  let conversations = 0;
  let commands: string[] = [];

  const hangUp = (connection: Deno.TcpConn) => {
    if (!open.delete(connection)) return;
    try {
      connection.close();
    } catch {
      // Closed by its other end.
    }
  };

  async function serve(client: Deno.TcpConn): Promise<void> {
    open.add(client);
    let server: Deno.TcpConn | undefined;
    try {
      conversations += 1;
      const fate = await rules.conversation?.(conversations) ?? "pass";
      if (fate === "close") return;
      const port = typeof fate === "object" ? fate.elsewhere : target.port;
      server = await Deno.connect({ hostname: target.address, port });
      open.add(server);
      const replies = replyPump(server, client);
      void replies.ended.then(() => hangUp(client));
      await commandsOf(client, server, replies);
    } catch {
      // A connection that breaks: what is tried here.
    } finally {
      hangUp(client);
      if (server) hangUp(server);
    }
  }

  async function commandsOf(
    client: Deno.TcpConn,
    server: Deno.TcpConn,
    replies: ReplyPump,
  ): Promise<void> {
    let payloadEnd: string | undefined;
    for await (const line of linesOf(client)) {
      const inPayload = payloadEnd !== undefined;
      if (inPayload && line === payloadEnd) payloadEnd = undefined;
      else if (!inPayload) payloadEnd = / <<(\S+)$/.exec(line)?.[1];
      if (!inPayload && !GREETING.has(line)) {
        commands.push(line);
        const fate = await rules.command?.(commands.length, line) ?? "pass";
        // Of a command with a payload the reply comes behind the payload.
        if (fate === "cut") await replies.cutNext();
      }
      await writeAll(server, new TextEncoder().encode(`${line}\n`));
      if (replies.cutting && payloadEnd === undefined) return await replies.ended;
    }
  }

  const accepting = (async () => {
    for await (const client of listener) {
      const serving = serve(client).finally(() => served.delete(serving));
      served.add(serving);
    }
  })();

  return {
    port: listener.addr.port,
    get conversations() {
      return conversations;
    },
    get commands() {
      return commands;
    },
    set(next) {
      rules = next;
      conversations = 0;
      commands = [];
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting.catch(() => {});
      for (const connection of open) hangUp(connection);
      await Promise.all(served);
    },
  };
}

interface ReplyPump {
  readonly ended: Promise<void>;
  readonly cutting: boolean;
  /** Resolves once all earlier replies are through: what comes next is cut in its middle. */
  cutNext(): Promise<void>;
}

function replyPump(server: Deno.TcpConn, client: Deno.TcpConn): ReplyPump {
  let lastAt = performance.now();
  let cutting = false;
  const pump = async () => {
    const buffer = new Uint8Array(64 * 1024);
    for (let length; (length = await server.read(buffer)) !== null;) {
      lastAt = performance.now();
      await writeAll(client, buffer.subarray(0, cutting ? length >> 1 : length));
      if (cutting) return;
    }
  };
  const ended = pump().catch(() => {});
  return {
    ended,
    get cutting() {
      return cutting;
    },
    async cutNext() {
      while (performance.now() - lastAt < QUIET_MS) await delay(QUIET_MS);
      cutting = true;
    },
  };
}

async function* linesOf(connection: Deno.TcpConn): AsyncGenerator<string> {
  const buffer = new Uint8Array(64 * 1024);
  const decoder = new TextDecoder();
  let rest = "";
  for (let length; (length = await connection.read(buffer)) !== null;) {
    const parts = (rest + decoder.decode(buffer.subarray(0, length), { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}
