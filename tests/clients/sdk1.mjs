/**
 * A client on the SDK's 1.x line, as most clients are: lists all, adds a domain, and removes it when it is asked whether to.
 * Prints what it saw as one JSON object. It is read from stdin, in the folder of the packages:
 *
 *     MCP_URL=… MCP_TOKEN=… node --input-type=module <sdk1.mjs
 *     MCP_PROGRAM=… MCP_PROGRAM_ENV='{"HAPROXY_ROOT": …}' node --input-type=module <sdk1.mjs
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const { MCP_URL, MCP_TOKEN, MCP_PROGRAM, MCP_PROGRAM_ENV } = process.env;

const transport = MCP_URL
  ? new StreamableHTTPClientTransport(new URL(MCP_URL), {
    requestInit: { headers: { Authorization: `Bearer ${MCP_TOKEN}` } },
  })
  : new StdioClientTransport({
    command: MCP_PROGRAM,
    args: ["stdio"],
    env: JSON.parse(MCP_PROGRAM_ENV),
    stderr: "ignore",
  });

const questions = [];
const client = new Client({ name: "sdk1", version: "1" }, { capabilities: { elicitation: {} } });
client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
  questions.push(params.message);
  return { action: "accept", content: { confirm: true } };
});
await client.connect(transport);

/** Once the tools are listed the client checks each result against its schema. */
const { tools } = await client.listTools();
const { resources } = await client.listResources();
const { resourceTemplates } = await client.listResourceTemplates();
const { prompts } = await client.listPrompts();

async function call(name, args = {}) {
  const { structuredContent, content, isError } = await client.callTool({
    name: `haproxy_${name}`,
    arguments: args,
  });
  if (isError) throw new Error(content[0].text);
  return structuredContent;
}

const domain = "a.test";
const added = await call("add_domain", { domain, ip: "127.0.0.1", http_port: 8080 });
const listed = await call("list_domains");
const removed = await call("remove_domain", { domain });
const left = await call("list_domains");

const names = (list) => list.map(({ name }) => name);
console.log(JSON.stringify({
  server: client.getServerVersion().name,
  tools: names(tools),
  resources: names(resources),
  resourceTemplates: names(resourceTemplates),
  prompts: names(prompts),
  added,
  listed,
  questions,
  removed,
  left,
}));
// An HTTP session is ended by who opened it; closing alone leaves it to the server's patience.
await transport.terminateSession?.();
await client.close();
