/** JSON-RPC errors: of a request's parameters, and those that answer none in particular as none has been read yet. */
import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";

export const invalidParams = (message: string) =>
  new ProtocolError(ProtocolErrorCode.InvalidParams, message);

export const rpcError = (code: number, message: string, data?: Record<string, unknown>) => ({
  jsonrpc: "2.0",
  id: null,
  error: { code, message, ...(data && { data }) },
});

export const rpcResponse = (
  status: number,
  code: number,
  message: string,
  headers?: HeadersInit,
): Response => Response.json(rpcError(code, message), { status, headers });

export const busy = (what: string): Response =>
  rpcResponse(503, -32000, `${what} Try again later.`, { "Retry-After": "10" });
