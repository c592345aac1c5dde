/** conf/haproxy-mcp.env, the unit's EnvironmentFile: every setting with its default, those that differ without a `#`. */
import type { Variable } from "../config.ts";

/** Values as the environment has them. */
export type Environment = Partial<Readonly<Record<Variable, string>>>;

type Section = readonly [about: string, settings: readonly (readonly [Variable, string])[]];

/** What people set, with its default, or an example where that is none. docs/configuration.md has all. */
const SECTIONS: readonly Section[] = [
  ["Where MCP is served. An address that comes late at boot needs an After= in a drop-in.", [
    ["MCP_HOST", "0.0.0.0"],
    ["MCP_PORT", "8000"],
  ]],
  [
    "Who may enter: networks that need no token (none: nobody), and the names that are answered, in place of this machine's.",
    [
      ["MCP_TRUSTED_NETWORKS", "100.64.0.0/10"],
      ["MCP_TRUSTED_ACCESS", "full"],
      ["MCP_ALLOWED_HOSTS", "localhost,127.0.0.1,mcp.example.com"],
      ["MCP_READ_ONLY", "false"],
      ["MCP_CONFIRM", "ask"],
    ],
  ],
  ["HAProxy: its Runtime API, and what its configuration holds.", [
    ["HAPROXY_HOST", "localhost"],
    ["HAPROXY_PORT", "9999"],
    ["HAPROXY_POOL_COUNT", "100"],
    ["HAPROXY_MAX_SLOTS", "10"],
  ]],
  [
    "How it is reloaded: auto, master, podman, systemd. The last two need more rights (systemd/ under the root).",
    [
      ["HAPROXY_RELOAD", "auto"],
      ["HAPROXY_MASTER", "127.0.0.1:9998"],
      ["HAPROXY_CONTAINER", "haproxy"],
    ],
  ],
  [
    "Certificates: the CA (google, letsencrypt, letsencrypt-staging or a URL), and the token for Cloudflare's DNS.",
    [
      ["ACME_DIRECTORY", "google"],
      ["ACME_EMAIL", "admin@example.com"],
      ["ACME_EAB_KID", ""],
      ["ACME_EAB_HMAC_KEY", ""],
      ["CF_Token", ""],
      ["MCP_AUTO_RENEW", "true"],
    ],
  ],
  ["The log, which is systemd's journal.", [
    ["LOG_LEVEL", "INFO"],
    ["LOG_FORMAT", "text"],
  ]],
];

/**
 * @param active what is set; each stands in its section, or at the end where none has it
 */
export function environmentFile(active: Environment): string {
  const known = new Set(SECTIONS.flatMap(([, settings]) => settings.map(([name]) => name)));
  const line = ([name, usual]: readonly [Variable, string]) =>
    active[name] === undefined ? `#${name}=${usual}` : assignment(name, active[name]);
  const others = entries(active).filter(([name]) => !known.has(name));
  const sections = [
    ...SECTIONS,
    ...(others.length > 0 ? [["Others.", others] as const satisfies Section] : []),
  ];
  return `\
# Settings of haproxy-mcp.service, made by haproxy-mcp init and yours from then on. Read by systemd as root, when the
# service starts (systemctl restart haproxy-mcp), and by root's shell. A line is NAME=value; behind a #
# stands the default, or an example. HAPROXY_ROOT stands in the unit, which gives the service that folder to write in.
${
    sections.map(([about, settings]) => `\n# ${about}\n${settings.map(line).join("\n")}\n`).join("")
  }`;
}

/** Lines to put into a file that was there already, for what it does not set like this. */
export function missingLines(text: string, active: Environment): readonly string[] {
  const lines = new Set(text.split("\n").map((line) => line.trim()));
  return entries(active).map(([name, value]) => assignment(name, value))
    .filter((line) => !lines.has(line));
}

const entries = (active: Environment) => Object.entries(active) as [Variable, string][];

/** As systemd.exec(5) reads an EnvironmentFile: within double quotes a backslash takes the next character's meaning away. */
function assignment(name: Variable, value: string): string {
  return /^[\w.,:/@+-]*$/.test(value)
    ? `${name}=${value}`
    : `${name}="${value.replace(/["\\`$]/g, "\\$&")}"`;
}
