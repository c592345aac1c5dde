/** `haproxy-mcp serve`, and an MCP client that talks with it over HTTP. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { answerOf, failure, startProgram } from "./program.ts";

export interface AgentOptions {
  readonly root: string;
  /** Absolute paths: haproxy-mcp, the shell, and HAProxy, which checks haproxy.cfg. */
  readonly agent: string;
  readonly sh: string;
  readonly haproxy: string;
  /** Port of the Runtime API. */
  readonly api: number;
  /** The agent ended, and it was not stop(). */
  readonly onLost: (error: Error) => void;
}

/** What the tool said, whether it did it or refused. */
export interface Reply {
  readonly text: string;
  /** Undefined for a refusal. */
  readonly structured?: unknown;
  /** The code of a refusal, such as CONFLICT. */
  readonly code?: string;
}

/** What is heard while a call runs. */
export interface Heard {
  /** The message of each progress notification. */
  readonly progress?: (message: string) => void;
  /** What the person is asked, and says yes to. */
  readonly question?: (message: string) => void;
}

export interface Agent {
  /** Where MCP is served. */
  readonly url: string;
  readonly tokenFile: string;
  call(tool: string, args: object, heard?: Heard): Promise<Reply>;
  /** The text of a resource. */
  read(uri: string): Promise<string>;
  /** SIGTERM; resolves once it has ended. */
  stop(): Promise<void>;
}

/** On a port that the kernel chooses, so it cannot be lost. Resolves once the client is connected. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { root, agent, sh, haproxy, api, onLost } = options;
  const program = await startProgram({
    name: "haproxy-mcp serve",
    sh,
    command: [agent, "serve"],
    env: {
      HAPROXY_ROOT: root,
      HAPROXY_HOST: "127.0.0.1",
      HAPROXY_PORT: String(api),
      HAPROXY_BINARY: haproxy,
      MCP_HOST: "127.0.0.1",
      MCP_PORT: "0",
    },
    logFile: `${root}/agent.log`,
  });
  const url = await answerOf(program, async () => servedAt(await program.output()));
  if (url === undefined) throw await failure(program, "did not start");
  program.onLost(onLost);
  const tokenFile = `${root}/conf/mcp-token.env`;
  let heard: Heard = {};
  const client = await connect(url, await readToken(tokenFile), (message) => {
    heard.question?.(message);
  });
  return {
    url,
    tokenFile,
    call(tool, args, listener = {}) {
      heard = listener;
      return call(client, tool, args, heard.progress);
    },
    async read(uri) {
      const [content] = (await client.readResource({ uri })).contents;
      return "text" in content ? content.text : "";
    },
    async stop() {
      await client.close();
      program.end("SIGTERM");
      const { code } = await program.ended;
      if (code !== 0) throw await failure(program, `ended with ${code} on SIGTERM`);
    },
  };
}

/** The address in the log of `serve`, which knows the port. */
function servedAt(log: string): string | undefined {
  return /MCP is served at (http:\S+?);/.exec(log)?.[1];
}

async function readToken(path: string): Promise<string> {
  const [, token] = /^MCP_TOKEN=(.+)$/m.exec(await Deno.readTextFile(path)) ?? [];
  if (token === undefined) throw new Error(`${path} holds no MCP_TOKEN.`);
  return token;
}

/** @param onQuestion what a person is asked before a tool acts; this one always says yes */
async function connect(
  url: string,
  token: string,
  onQuestion: (message: string) => void,
): Promise<Client> {
  const client = new Client({ name: "haproxy-mcp-demo", version: "1" }, {
    capabilities: { elicitation: { form: {} } },
  });
  client.setRequestHandler("elicitation/create", ({ params: { message } }) => {
    onQuestion(message);
    return { action: "accept", content: { confirm: true } };
  });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: { Authorization: `Bearer ${token}` } },
    }),
  );
  // From here on the client checks every result against the tool's output schema.
  await client.listTools();
  return client;
}

async function call(
  client: Client,
  tool: string,
  args: object,
  onProgress?: (message: string) => void,
): Promise<Reply> {
  const { content, structuredContent, _meta } = await client.callTool(
    { name: tool, arguments: args as Record<string, unknown> },
    onProgress && { onprogress: ({ message }) => onProgress(message ?? "") },
  );
  const text = content.map((block) => block.type === "text" ? block.text : "").join("\n");
  const error = _meta?.["haproxy-mcp/error"] as { readonly code: string } | undefined;
  return { text, structured: structuredContent, code: error?.code };
}
