/** A root as the original (Python) haproxy-mcp leaves it: two maps, servers by domain, certificates by name, its program. */
import { join } from "node:path";
import type { Environment } from "../../lib/config/reader.ts";
import { readSettings } from "../../lib/config.ts";
import { takeOver } from "../../lib/takeover/mod.ts";

export interface OriginalServer {
  readonly ip: string;
  readonly http_port: number;
}

export const TOKEN = "0riginal-token_of.the~clients";

/** Its domains, and where their wildcards are; `b.test` shares a.test's pool. */
export const DOMAINS_MAP = `# managed by haproxy-mcp
a.test pool_1
b.test pool_1

c.test pool_2
.d.test pool_3
d.test pool_3
`;
export const WILDCARDS_MAP = `# suffixes
.a.test pool_1
*.c.test pool_2
d.test pool_3
`;

/** @param servers of a.test, c.test and d.test */
export async function makeOriginal(
  root: string,
  servers: readonly OriginalServer[] = [1, 2, 3].map((n) => ({ ip: `10.0.0.${n}`, http_port: 80 })),
): Promise<void> {
  const [a, c, d] = servers;
  const files: Record<string, string> = {
    "conf/haproxy.cfg": CONFIG,
    "conf/domains.map": DOMAINS_MAP,
    "conf/wildcards.map": WILDCARDS_MAP,
    "conf/servers.json": json({
      "a.test": { "1": a, "2": a },
      "c.test": { "1": c },
      "d.test": { "3": d },
    }),
    "conf/certificates.json": json({ domains: ["a.test"] }),
    "conf/mcp-token.env": `MCP_TOKEN=${TOKEN}\n`,
    "conf/servers.json.lock": "",
    "data/servers.state": "1\n",
    "haproxy_mcp/server.py": "print('the original')\n",
  };
  for (const folder of ["conf", "certs", "data", "run", "scripts", "haproxy_mcp/.venv/bin"]) {
    await Deno.mkdir(join(root, folder), { recursive: true });
  }
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(root, name), text, { mode: 0o644 });
  }
  await Deno.symlink("/usr/bin/python3", join(root, "haproxy_mcp/.venv/bin/python"));
}

const json = (value: unknown) => JSON.stringify(value, null, 2);

/** One in a folder of its own, to be taken over. */
export async function originalRoot() {
  const path = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  await makeOriginal(path);
  return {
    path,
    take: (env: Environment = {}) => takeOver(readSettings({ HAPROXY_ROOT: path, ...env })),
    text: (name: string) => Deno.readTextFile(join(path, name)),
    write: (name: string, text: string) => Deno.writeTextFile(join(path, name), text),
    mode: async (name: string) => (await Deno.stat(join(path, name))).mode! & 0o777,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Its unit, with settings of all kinds. */
export const UNIT = `[Unit]
Description=HAProxy MCP Server
After=network.target haproxy.service

[Service]
Type=simple
User=root
WorkingDirectory=/opt/haproxy/haproxy_mcp
Environment="MCP_PORT=8010" LOG_LEVEL=DEBUG
Environment=CF_Token=secret-of-cloudflare 'PYTHONUNBUFFERED=1'
EnvironmentFile=-/opt/haproxy/conf/extra.env
ExecStart=/usr/local/bin/uv run python server.py
Restart=always

[Install]
WantedBy=multi-user.target
`;

/** Paths as its container has them, slots with an address. */
export const CONFIG = `global
    stats socket ipv4@127.0.0.1:9999 level admin expose-fd listeners
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend http_front
    bind *:80
    http-request set-var(txn.host) req.hdr(host),host_only,lower
    http-request set-var(txn.pool) var(txn.host),map_str(/usr/local/etc/haproxy/domains.map)
    http-request set-var(txn.pool) var(txn.host),map_end(/usr/local/etc/haproxy/wildcards.map) if !{ var(txn.pool) -m found }
    use_backend %[var(txn.pool)] if { var(txn.pool) -m found }
    default_backend nobody
frontend https_front
    bind *:443 ssl crt /etc/haproxy/certs/ alpn h2,http/1.1
    bind quic4@:443 ssl crt /etc/haproxy/certs/ alpn h3
    default_backend nobody
backend nobody
    http-request return status 503
${
  [1, 2, 3].map((pool) =>
    `backend pool_${pool}\n    server-template pool_${pool}_ 1-10 0.0.0.0:80 check disabled\n`
  ).join("")
}`;
