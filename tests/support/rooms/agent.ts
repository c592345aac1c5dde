/**
 * An agent of the test build in a process of its own, spoken to by a real MCP client over HTTP.
 *
 *     await using agent = await startAgent();
 *     await agent.call("test_read", { ms: 10 });
 *
 * HAPROXY_MCP_TEST names the compiled test build. Where it is set, that is what runs, but for tests
 * that ask for both builds; without it the agent runs from the checkout.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

export type Build = "compiled" | "checkout";

export interface AgentOptions {
  /** @default {the first of BUILDS} */
  readonly build?: Build;
  /** Laid over the environment that the agent gets: nothing of this process's but PATH. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default {a temporary folder with conf/, certs/ and data/, removed at the end} */
  readonly root?: string;
}

export interface Agent extends AsyncDisposable {
  readonly root: string;
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  /** The exit code, once it has ended. */
  readonly ended: Promise<number>;
  log(): string;
  call(tool: string, args?: Record<string, unknown>, signal?: AbortSignal): Promise<Answer>;
}

export interface Answer {
  readonly structured?: Readonly<Record<string, unknown>>;
  /** The error's code, where it is one. */
  readonly code?: string;
  readonly text: string;
}

/** A command that has ended. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const START_MS = 20_000;
const compiled = Deno.env.get("HAPROXY_MCP_TEST");

/** Those that can be had: rooms behave differently on the Deno of each. */
export const BUILDS: readonly Build[] = compiled ? ["compiled", "checkout"] : ["checkout"];

/** What starts the test build, with these arguments. */
export function agentCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  io: Pick<Deno.CommandOptions, "stdin" | "stdout" | "stderr">,
  build: Build = BUILDS[0],
): Deno.Command {
  const main = fileURLToPath(new URL("./main.ts", import.meta.url));
  const kinds = ["env", "net", "read", "write", "run", "sys=networkInterfaces,uid"];
  const permissions = kinds.map((kind) => `--allow-${kind}`);
  const run = ["run", "--no-prompt", "--quiet", ...permissions, main];
  const inherited = ["PATH", "DENO_DIR", "DENO_TLS_CA_STORE"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return new Deno.Command(build === "compiled" ? compiled! : Deno.execPath(), {
    args: build === "compiled" ? [...args] : [...run, ...args],
    clearEnv: true,
    env: { ...Object.fromEntries(inherited), ...env },
    ...io,
  });
}

/** Runs one command of the test build to its end. */
export async function runAgent(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const piped = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
  const { code, stdout, stderr } = await agentCommand(args, env, piped).output();
  return {
    code,
    stdout: new TextDecoder().decode(stdout),
    stderr: new TextDecoder().decode(stderr),
  };
}

/** A temporary root as `init` leaves it, as far as the agent needs it. */
export async function makeRoot(): Promise<string> {
  const root = await Deno.realPath(await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" }));
  for (const folder of ["conf", "certs", "data"]) await Deno.mkdir(join(root, folder));
  await Deno.writeTextFile(join(root, "conf/domains.map"), "");
  await Deno.writeTextFile(join(root, "conf/servers.json"), "{}\n");
  return root;
}

/** Starts `serve` on a port of its own and resolves once it listens. */
export async function startAgent(
  { env = {}, root: given, build }: AgentOptions = {},
): Promise<Agent> {
  const root = given ?? await makeRoot();
  const settings = { HAPROXY_ROOT: root, MCP_HOST: "127.0.0.1", MCP_PORT: "0", HAPROXY_PORT: "1" };
  const io = { stdin: "null", stdout: "null", stderr: "piped" } as const;
  const child = agentCommand(["serve"], { ...settings, ...env }, io, build).spawn();
  const ended = child.status.then(({ code }) => code);
  let text = "";
  const reading = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) text += chunk;
  })();

  async function dispose() {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await child.status;
    await reading;
    if (given === undefined) await Deno.remove(root, { recursive: true });
  }

  try {
    const url = await waitFor(() => /http:\S+\/mcp/.exec(text)?.[0], ended, () => text);
    const tokens = await Deno.readTextFile(env.MCP_TOKEN_FILE ?? join(root, "conf/mcp-token.env"));
    const token = /^MCP_TOKEN=([^,\n]+)/m.exec(tokens)?.[1] ?? "";
    const client = new Client({ name: "test", version: "1" });
    const headers = { Authorization: `Bearer ${token}` };
    await client.connect(
      new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }),
    );
    return {
      root,
      url,
      token,
      pid: child.pid,
      ended,
      log: () => text,
      async call(name, args = {}, signal) {
        const result = await client.callTool({ name, arguments: args }, { signal });
        const error = result._meta?.["haproxy-mcp/error"] as { code: string } | undefined;
        const [first] = result.content;
        return {
          text: first?.type === "text" ? first.text : "",
          structured: result.structuredContent as Answer["structured"],
          ...(error && { code: error.code }),
        };
      },
      async [Symbol.asyncDispose]() {
        await client.close().catch(() => {});
        await dispose();
      },
    };
  } catch (cause) {
    await dispose();
    throw cause;
  }
}

/** Polls until `found` finds something; throws with the log when the process ends or time is up. */
export async function waitFor<T>(
  found: () => T | undefined,
  ended: Promise<number>,
  log: () => string,
  timeoutMs = START_MS,
): Promise<T> {
  let code: number | undefined;
  void ended.then((status) => code = status);
  for (const end = performance.now() + timeoutMs;;) {
    const value = found();
    if (value !== undefined) return value;
    if (code !== undefined) throw new Error(`The agent ended with ${code}:\n${log()}`);
    if (performance.now() > end) throw new Error(`The agent was silent:\n${log()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
