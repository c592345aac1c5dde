/**
 * The compiled executable as its users run it: `serve`, `stdio` and single commands, each a process of
 * its own, on the root of a real HAProxy.
 *
 *     await using agent = await startServe(haproxy);
 *     await using caller = await agent.connect();
 *     await caller.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 8080 });
 *
 * Needs HAPROXY_MCP (the executable's path), --allow-env=HAPROXY_MCP,PATH and --allow-run.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { type Haproxy, haproxyBinary } from "./haproxy.ts";
import { LEASH } from "./leash.ts";
import { connectCaller, type Era, type ToolCaller } from "./mcp_client.ts";

export interface AgentOptions {
  /** Laid over the settings that fit the HAProxy. Nothing is inherited but PATH. */
  readonly env?: Readonly<Record<string, string>>;
  /** A command that becomes the agent: it sets a limit, or another user, and runs what follows it. */
  readonly wrapper?: readonly string[];
  /** @default {executable()} */
  readonly program?: string;
}

/** A command that has ended. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Serve extends AsyncDisposable {
  /** Of /mcp. */
  readonly url: string;
  readonly port: number;
  readonly token: string;
  readonly pid: number;
  /** The exit code, once it has ended. */
  readonly ended: Promise<number>;
  /** All of stderr so far. */
  log(): string;
  /** Another client. They end with the agent. */
  connect(era?: Era): Promise<ToolCaller>;
  /** Sends the signal and waits for the end; the exit code. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<number>;
}

/** Milliseconds until a start, an end or a command counts as failed. */
const PATIENCE = 20_000;

/** The path of the executable; without it a test fails and is not skipped. */
export function executable(): string {
  const path = Deno.env.get("HAPROXY_MCP");
  if (!path) throw new Error("HAPROXY_MCP is not set: it has to be the path of the executable");
  return path;
}

/** A copy in that folder, which every user may run: the folders above the checkout may be closed to others. */
export async function executableForAll(folder: string): Promise<string> {
  const copy = join(folder, "haproxy-mcp");
  await Deno.copyFile(executable(), copy);
  await Deno.chmod(copy, 0o755);
  return copy;
}

/** The test build's path: it looks for certificates that are due at once, and not after minutes. */
export function testExecutable(): string {
  const path = Deno.env.get("HAPROXY_MCP_TEST");
  if (!path) {
    throw new Error("HAPROXY_MCP_TEST is not set: it has to be the path of the test build");
  }
  return path;
}

/** What an agent beside a HAProxy is told of it. One in a container has no master CLI. */
export type Neighbour =
  & Pick<Haproxy, "root" | "options" | "version">
  & Partial<Pick<Haproxy, "masterAddress">>;

/** The environment of an agent beside this HAProxy. No network is trusted: tests show their token. */
export function agentEnv(
  { root, options, version, masterAddress }: Neighbour,
): Record<string, string> {
  return {
    PATH: Deno.env.get("PATH") ?? "",
    HAPROXY_ROOT: root,
    HAPROXY_HOST: options.api.address,
    HAPROXY_PORT: String(options.api.port),
    HAPROXY_POOL_COUNT: String(options.pools),
    HAPROXY_MAX_SLOTS: String(options.slots),
    ...(masterAddress && { HAPROXY_MASTER: masterAddress, HAPROXY_BINARY: haproxyBinary(version) }),
    MCP_HOST: "127.0.0.1",
    MCP_PORT: "0",
    MCP_TRUSTED_NETWORKS: "none",
  };
}

/** Runs one command to its end. */
export async function runAgent(
  haproxy: Neighbour,
  args: readonly string[],
  { env, wrapper = [], program = executable() }: AgentOptions = {},
): Promise<Run> {
  const [first, ...before] = [...wrapper, program];
  const { code, stdout, stderr } = await new Deno.Command(first, {
    args: [...before, ...args],
    clearEnv: true,
    env: { ...agentEnv(haproxy), ...env },
    stdin: "null",
    signal: AbortSignal.timeout(PATIENCE),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** `haproxy-mcp call NAME --args JSON --json`: the exit code, and what it printed. */
export async function callFromShell(
  haproxy: Neighbour,
  name: string,
  args: object = {},
  options: AgentOptions = {},
): Promise<{ readonly code: number; readonly printed: Readonly<Record<string, unknown>> }> {
  const words = ["call", `haproxy_${name}`, "--json", "--args", JSON.stringify(args)];
  const { code, stdout, stderr } = await runAgent(haproxy, words, options);
  if (stdout === "") throw new Error(`call haproxy_${name} ended with ${code}: ${stderr}`);
  return { code, printed: JSON.parse(stdout) };
}

/** A client that starts `stdio` itself. The process ends with it. */
export function connectStdio(haproxy: Haproxy, era: Era = "2025"): Promise<ToolCaller> {
  const env = agentEnv(haproxy);
  const transport = new StdioClientTransport({
    command: executable(),
    args: ["stdio"],
    env,
    stderr: "ignore",
  });
  return connectCaller(transport, era);
}

/** Starts `serve` on a free port and resolves once it listens. */
export async function startServe(
  haproxy: Neighbour,
  { env, wrapper = [], program = executable() }: AgentOptions = {},
): Promise<Serve> {
  const child = new Deno.Command("sh", {
    args: ["-c", `${LEASH} exec "$@" </dev/null`, "sh", ...wrapper, program, "serve"],
    clearEnv: true,
    env: { ...agentEnv(haproxy), ...env },
    stdin: "piped",
    stdout: "inherit",
    stderr: "piped",
  }).spawn();
  let log = "";
  const reading = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) log += chunk;
  })();
  let code: number | undefined;
  const ended = child.status.then(async (status) => {
    await child.stdin.close();
    await reading;
    return code = status.code;
  });
  const clients: ToolCaller[] = [];

  async function end(signal: "SIGTERM" | "SIGKILL"): Promise<number> {
    if (code === undefined) child.kill(signal);
    const late = delay(PATIENCE, undefined, { ref: false });
    const first = await Promise.race([ended, late]);
    if (first !== undefined) return first;
    child.kill("SIGKILL");
    await ended;
    throw new Error(`serve did not end after ${signal}:\n${log}`);
  }

  async function dispose(): Promise<void> {
    await Promise.all(clients.map((client) => client.client.close().catch(() => {})));
    await end("SIGKILL");
  }

  try {
    const url = await appears(() => /http:\S+\/mcp/.exec(log)?.[0], () => log, () => code);
    const tokens = await Deno.readTextFile(join(haproxy.root, "conf/mcp-token.env"));
    const token = /^MCP_TOKEN=([^,\n]+)/m.exec(tokens)![1];
    return {
      url,
      port: Number(new URL(url).port),
      token,
      pid: child.pid,
      ended,
      log: () => log,
      async connect(era = "2026") {
        const requestInit = { headers: { Authorization: `Bearer ${token}` } };
        const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit });
        const caller = await connectCaller(transport, era);
        clients.push(caller);
        return caller;
      },
      end,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (cause) {
    await dispose();
    throw cause;
  }
}

/** Polls until `found` finds something. Throws with the log when the process ends or time is up. */
async function appears(
  found: () => string | undefined,
  log: () => string,
  code: () => number | undefined,
): Promise<string> {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await delay(10)) {
    const value = found();
    if (value !== undefined) return value;
    if (code() !== undefined) throw new Error(`serve ended with ${code()}:\n${log()}`);
  }
  throw new Error(`serve was silent:\n${log()}`);
}
