/**
 * MCP over stdin and stdout. The SDK's own stdio transport aborts what is in flight when stdin ends,
 * and wants node's process.stdin, which does not open inside a worker; so this is ours.
 */
import {
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  type McpServerFactory,
  ReadBuffer,
  type RequestId,
  serializeMessage,
  type Transport,
} from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";

export interface StdioService {
  /** Resolves when the input has ended and every request that came has been answered. */
  readonly ended: Promise<void>;
  /** Reads no more; resolves when what is in flight has been answered, after `graceMs` at the latest. */
  stop(graceMs: number): Promise<void>;
}

export function serveStreams(
  newServer: McpServerFactory,
  input: ReadableStream<Uint8Array>,
  output: WritableStream<Uint8Array>,
): StdioService {
  const { transport, ended, endInput } = createStreamTransport(input, output);
  const service = serveStdio(newServer, { transport });
  return {
    ended: ended.then(() => service.close()),
    async stop(graceMs) {
      endInput();
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, graceMs);
      await Promise.race([ended, late]);
      clearTimeout(timer);
      await service.close();
    },
  };
}

/** JSON-RPC messages, one a line. */
function createStreamTransport(
  input: ReadableStream<Uint8Array>,
  output: WritableStream<Uint8Array>,
) {
  const reader = input.getReader();
  const writer = output.getWriter();
  const buffer = new ReadBuffer();
  const unanswered = new Set<RequestId>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let open = true;
  const endIfAnswered = () => {
    if (!open && unanswered.size === 0) end();
  };

  function receive(message: JSONRPCMessage) {
    if (isJSONRPCRequest(message)) unanswered.add(message.id);
    // The SDK answers nothing to a call that was cancelled.
    if ("method" in message && message.method === "notifications/cancelled") {
      unanswered.delete(message.params?.requestId as RequestId);
    }
    transport.onmessage?.(message);
  }

  function deliver() {
    for (;;) {
      try {
        const message = buffer.readMessage();
        if (message === null) return;
        receive(message);
      } catch (cause) {
        transport.onerror?.(cause as Error);
      }
    }
  }

  async function read() {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || !open) break;
        buffer.append(value as Parameters<typeof buffer.append>[0]);
        deliver();
      }
    } catch (cause) {
      transport.onerror?.(cause as Error);
    }
    endInput();
  }

  function endInput() {
    open = false;
    endIfAnswered();
  }

  const transport: Transport = {
    start() {
      void read();
      return Promise.resolve();
    },
    async send(message) {
      await writer.write(new TextEncoder().encode(serializeMessage(message))).catch((cause) => {
        // Nobody reads stdout any more: there is no one left to answer.
        unanswered.clear();
        endInput();
        throw cause;
      });
      if (isJSONRPCResponse(message)) unanswered.delete(message.id as RequestId);
      endIfAnswered();
    },
    close() {
      endInput();
      transport.onclose?.();
      return Promise.resolve();
    },
  };
  return { transport, ended, endInput };
}
