/**
 * The same tools on Node: Express and the first line of MCP's SDK, put together as its examples do.
 *
 * Usage: server.mjs stateless|sessions DEFINITIONS ROOT TOKEN PORT. DEFINITIONS is a file: what `haproxy-mcp tools --json` prints; of these tools it runs haproxy_list_domains, from the files under ROOT.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createMcpExpressApp } from "@modelcontextprotocol/sdk/server/express.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import * as z from "zod";

const [mode, definitionsFile, root, token, port] = process.argv.slice(2);
const definitions = JSON.parse(readFileSync(definitionsFile, "utf8"))
  .map(({ name, inputSchema, outputSchema, ...more }) => ({
    name,
    config: {
      ...more,
      inputSchema: z.fromJSONSchema(inputSchema),
      outputSchema: z.fromJSONSchema(outputSchema),
    },
  }));

const run = { haproxy_list_domains: listDomains };

async function listDomains({ include_wildcards: wildcards = false }) {
  const [map, json] = await Promise.all([
    readFile(join(root, "conf/domains.map"), "utf8"),
    readFile(join(root, "conf/servers.json"), "utf8"),
  ]);
  const entries = map.split("\n").map((line) => line.trim().split(/\s+/))
    .filter(([domain, pool]) => pool && !domain.startsWith("#") && (wildcards || !domain.startsWith(".")))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const servers = JSON.parse(json);
  const domains = entries.map(([domain, pool]) => ({
    domain,
    pool,
    wildcard: domain.startsWith("."),
    shared_with: entries.filter((other) => other[1] === pool && other[0] !== domain).map(([other]) => other),
    servers: Object.entries(servers[pool] ?? {}).map(([slot, server]) => entry(pool, Number(slot), server)),
  }));
  const line = ({ domain, pool, servers }) =>
    `• ${domain} -> ${pool} (pool): ${servers.map((one) => `${one.name}=${one.ip}:${one.http_port}`).join(", ")}`;
  return {
    content: [{ type: "text", text: domains.map(line).join("\n") || "No domains yet." }],
    structuredContent: { domains, count: domains.length, next_cursor: "" },
  };
}

const entry = (pool, slot, { ip, http_port, weight = 1, state = "ready" }) => (
  { slot, name: `${pool}_${slot}`, ip, http_port, weight, state }
);

function newServer() {
  const server = new McpServer({ name: "bench", version: "1.0.0" });
  for (const { name, config } of definitions) {
    server.registerTool(name, config, run[name] ?? (() => {
      throw new Error("It is not measured, and so not there.");
    }));
  }
  return server;
}

const app = createMcpExpressApp();
app.use((request, response, next) => {
  if (request.headers.authorization === `Bearer ${token}`) next();
  else response.status(401).end();
});

const sessions = new Map();

async function transportOf(request) {
  if (mode === "stateless") {
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
    await newServer().connect(transport);
    return transport;
  }
  const known = sessions.get(request.headers["mcp-session-id"]);
  if (known) return known;
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    enableJsonResponse: true,
    onsessioninitialized: (id) => sessions.set(id, transport),
  });
  await newServer().connect(transport);
  return transport;
}

app.post("/mcp", async (request, response) => {
  const transport = await transportOf(request);
  if (mode === "stateless") response.on("close", () => transport.close());
  await transport.handleRequest(request, response, request.body);
});

app.listen(Number(port), "127.0.0.1");
