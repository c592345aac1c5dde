/** JSON-RPC errors that answer no request in particular: what is refused before one has been read. */

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
