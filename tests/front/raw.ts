/** Plain HTTP to the front room, below what an MCP client does. */
import { connect as connectTcp } from "node:net";

export const INITIALIZE = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1" },
  },
};

/** A body that is a string is sent as it is. */
export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: {
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
    // An answer that never ends fails its test, and does not hang it.
    signal: AbortSignal.timeout(10_000),
  });
}

export async function statusOf(answer: Promise<Response>): Promise<number> {
  const response = await answer;
  await response.body?.cancel();
  return response.status;
}

export const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

/** Opens a session; its id is empty when it was refused. */
export async function openSession(url: string, token: string): Promise<string> {
  const answer = await post(url, INITIALIZE, bearer(token));
  await answer.body?.cancel();
  return answer.headers.get("mcp-session-id") ?? "";
}

/** A request with headers that fetch does not let one set. */
export function rawStatus(port: number, lines: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, "127.0.0.1", () => {
      socket.write([...lines, "Connection: close", "", ""].join("\r\n"));
    });
    socket.once("data", (data) => {
      resolve(Number(String(data).split(" ")[1]));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}
