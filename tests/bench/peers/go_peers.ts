/**
 * Two programs in Go that change a running HAProxy, brought by Go's module proxy: HAProxy's Data Plane API, and tuannvm's
 * MCP server. They are sent what their own documentation has their users send.
 *
 * The proxy that this was written behind has neither of them, so of this file only the bringing has run.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { type Haproxy, haproxyBinary } from "../../support/haproxy.ts";
import { LEASH } from "../../support/leash.ts";
import { freePort } from "../../support/ports.ts";
import { install, type Missing } from "./install.ts";

/** Changes the address of a server, and shows what HAProxy counts: each resolves once it is answered with success. */
export interface ServerChanger extends AsyncDisposable {
  changeAddress(port: number): Promise<void>;
  showStat(): Promise<void>;
}

const USER = "bench", PASSWORD = "bench-password";
const BACKEND = "peer_backend", SERVER = "peer_server";

/** What they need in haproxy.cfg: a user, and a server of their own, since neither of them knows slots. */
export const withPeerServer = (config: string): string =>
  `${config}
userlist ${USER}
    user ${USER} insecure-password ${PASSWORD}

backend ${BACKEND}
    mode http
    server ${SERVER} 127.0.0.1:9000
`;

async function bring(name: string, module: string): Promise<string | Missing> {
  const steps = [["go", "install", module]];
  const folder = await install(name, module, () => steps, (folder) => ({ GOBIN: folder }));
  return typeof folder === "string" ? join(folder, module.split(/[/@]/).at(-2)!) : folder;
}

export async function openDataPlaneApi(haproxy: Haproxy): Promise<ServerChanger | Missing> {
  const module = "github.com/haproxytech/dataplaneapi/cmd/dataplaneapi@latest";
  const program = await bring("dataplaneapi", module);
  if (typeof program !== "string") return program;
  const port = freePort();
  const child = new Deno.Command("sh", {
    args: ["-c", `${LEASH} exec "$@" </dev/null`, "sh", program]
      .concat("--host", "127.0.0.1", "--port", String(port), "--userlist", USER)
      .concat("--config-file", haproxy.configFile)
      .concat("--haproxy-bin", haproxyBinary(haproxy.version))
      .concat("--reload-cmd", `kill -USR2 ${haproxy.masterPid}`),
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const ask = async (method: string, path: string, body?: object) => {
    const response = await fetch(`http://127.0.0.1:${port}/v3/services/haproxy/${path}`, {
      method,
      headers: {
        Authorization: `Basic ${btoa(`${USER}:${PASSWORD}`)}`,
        "Content-Type": "application/json",
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text;
  };
  for (let waited = 0; waited < 10_000; waited += 100) {
    if (await ask("GET", "configuration/version").then(() => true, () => false)) break;
    await delay(100);
  }
  return {
    async changeAddress(port) {
      const version = (await ask("GET", "configuration/version")).trim();
      const path = `configuration/backends/${BACKEND}/servers/${SERVER}?version=${version}`;
      await ask("PUT", path, { name: SERVER, address: "127.0.0.1", port });
    },
    showStat: async () => void await ask("GET", "stats/native"),
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await child.status;
    },
  };
}

/** It has no tool that changes an address: its users delete the server and add another one. */
export async function openTuannvm({ options }: Haproxy): Promise<ServerChanger | Missing> {
  const module = "github.com/tuannvm/haproxy-mcp-server/cmd/server@latest";
  const program = await bring("tuannvm", module);
  if (typeof program !== "string") return program;
  const client = new Client({ name: "bench", version: "1" });
  await client.connect(
    new StdioClientTransport({
      command: program,
      env: {
        HAPROXY_HOST: options.api.address,
        HAPROXY_PORT: String(options.api.port),
        HAPROXY_STATS_ENABLED: "false",
      },
      stderr: "ignore",
    }),
  );
  const call = async (name: string, args: Record<string, unknown>) => {
    const { isError, content } = await client.callTool({ name, arguments: args });
    if (isError) throw new Error(`${name}: ${JSON.stringify(content)}`);
  };
  return {
    async changeAddress(port) {
      await call("disable_server", { backend: BACKEND, server: SERVER });
      await call("del_server", { backend: BACKEND, name: SERVER });
      await call("add_server", { backend: BACKEND, name: SERVER, addr: "127.0.0.1", port });
      await call("enable_server", { backend: BACKEND, server: SERVER });
    },
    showStat: () => call("show_stat", {}),
    [Symbol.asyncDispose]: () => client.close(),
  };
}
