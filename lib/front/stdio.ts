/**
 * MCP over stdin and stdout. The SDK's own stdio transport aborts what is in flight when stdin ends,
 * and wants node's process.stdin, which does not open inside a worker; so this is ours.
 */
import {
  deserializeMessage,
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  type McpServerFactory,
  type RequestId,
  serializeMessage,
  STDIO_DEFAULT_MAX_BUFFER_SIZE,
  type Transport,
} from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { log } from "../log.ts";

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
  const service = serveStdio(newServer, {
    transport,
    onerror: (error) => log.debug(`MCP: ${error.message}`),
  });
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
  const unanswered = new Set<RequestId>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let open = true;
  const endIfAnswered = () => {
    if (!open && unanswered.size === 0) end();
  };

  function receive(message: JSONRPCMessage) {
    // A subscription's request is answered when it ends, so it does not keep us from ending.
    if (isJSONRPCRequest(message) && message.method !== "subscriptions/listen") {
      unanswered.add(message.id);
    }
    // The SDK answers nothing to a call that was cancelled.
    if ("method" in message && message.method === "notifications/cancelled") {
      unanswered.delete(message.params?.requestId as RequestId);
    }
    transport.onmessage?.(message);
  }

  async function read() {
    try {
      for await (const line of linesOf(reader)) {
        if (!open) break;
        try {
          receive(deserializeMessage(line));
        } catch (cause) {
          // Not a message: the specification wants none from us that has no id to answer to.
          transport.onerror?.(cause as Error);
        }
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

/** Lines without their ends. Throws when one grows beyond what the SDK's own transport takes. */
async function* linesOf(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest: string[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const [head, ...tail] = decoder.decode(value, { stream: true }).split("\n");
    rest.push(head);
    length += head.length;
    for (const line of tail) {
      const whole = rest.join("").replace(/\r$/, "");
      rest = [line];
      length = line.length;
      if (whole.trim()) yield whole;
    }
    if (length > STDIO_DEFAULT_MAX_BUFFER_SIZE) {
      throw new Error(
        `A line on stdin is longer than ${STDIO_DEFAULT_MAX_BUFFER_SIZE} characters.`,
      );
    }
  }
}
