/** Requests to /mcp as text: right ones, to be sent by who may not, or to be hidden in others. */
import { request } from "./say.ts";

const SMUGGLED = "smuggled.test";
const params = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "stranger", version: "1" },
};
export const INITIALIZE = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": params.clientInfo,
  "io.modelcontextprotocol/clientCapabilities": {},
};
const ADD = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: {
    name: "haproxy_add_domain",
    arguments: { domain: SMUGGLED, ip: "10.0.0.1" },
    _meta: meta,
  },
});

export const HOST = "Host: 127.0.0.1";
export const MCP = [
  "Accept: application/json, text/event-stream",
  "Content-Type: application/json",
];
export const bearer = (token: string) => `Authorization: Bearer ${token}`;
export const post = (lines: readonly string[], body = INITIALIZE) =>
  request("POST /mcp", [...lines, ...MCP, "Connection: close"], body);
/** Would put a domain on the air, were it taken for a request. */
export const add = (lines: readonly string[]) =>
  request("POST /mcp", [
    HOST,
    ...lines,
    ...MCP,
    "MCP-Protocol-Version: 2026-07-28",
    "Mcp-Method: tools/call",
    "Mcp-Name: haproxy_add_domain",
  ], ADD);
