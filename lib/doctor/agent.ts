/** Checks of the agent itself: whether it serves, and whom it lets in. */
import { createNetworks } from "../names/networks.ts";
import { type Check, fault, type Finding, named, need, ok, Skip, warning } from "./check.ts";
import { readHaproxyConfig, type Section } from "./haproxy_config.ts";
import type { Seen } from "./seen.ts";

function serve(seen: Seen): Finding {
  const { host, port } = seen.settings.front;
  const { who, ready } = need(seen.serve);
  const place = `${host}:${port}`;
  if (who === "stranger") {
    return fault(
      `something else than haproxy-mcp answers at ${place}, where serve should listen`,
      `Find it: ss -ltnp 'sport = :${port}'. End it, or choose another MCP_PORT.`,
    );
  }
  if (who === "silent") {
    return fault(
      `whoever listens at ${place} does not answer`,
      "If it is serve, it hangs: systemctl restart haproxy-mcp. Changes that it has answered are on disk.",
    );
  }
  if (who === "nobody") {
    return warning(
      `no serve answers at ${place}: nobody renews certificates, and nobody brings HAProxy in line after a start`,
      "Start it: haproxy-mcp serve (systemctl start haproxy-mcp). With stdio or call alone it is not needed.",
    );
  }
  return ready ? ok(`serve answers at ${place}, and is ready`) : warning(
    `serve answers at ${place}, but is not ready: HAProxy does not answer it, or does not hold what disk says`,
    "Its log says why: journalctl -u haproxy-mcp. If doctor finds nothing else, serve runs with other settings.",
  );
}

/** The names that haproxy.cfg leads to the agent: conditions of use_backend, for a backend whose server is the agent. */
export function agentNames(config: string, port: number): readonly string[] {
  const sections = readHaproxyConfig(config);
  const backends = agentBackends(config, port);
  return [
    ...new Set(
      sections.filter(({ kind }) => kind === "frontend" || kind === "listen")
        .flatMap((section) => namesIn(section, backends)),
    ),
  ];
}

/** The backends that have the agent for a server. */
export function agentBackends(config: string, port: number): readonly string[] {
  const isAgent = (address: string) => AGENT_HOST.test(address) && address.endsWith(`:${port}`);
  return readHaproxyConfig(config)
    .filter(({ kind, lines }) =>
      kind === "backend" &&
      lines.some(({ words }) => words[0] === "server" && isAgent(words[2] ?? ""))
    )
    .map(({ name }) => name);
}

/** Loopback, or a container's name for the machine that it runs on. */
const AGENT_HOST =
  /^(?:ipv[46]@)?(?:127\.|localhost:|\[?::1\]?:|host\.(?:containers|docker)\.internal:)/;
/** A host name among the words of a condition; fetches have brackets. */
const HOST_NAME = /^(?=.*[a-z])[a-z0-9_-]+(?:\.[a-z0-9_-]+)+$/i;

function namesIn({ lines }: Section, backends: readonly string[]): string[] {
  const conditions = lines.filter(({ words: [first, backend] }) =>
    first === "use_backend" && backends.includes(backend)
  ).flatMap(({ words }) => words.slice(3));
  const acls = lines.filter(({ words: [first, name] }) =>
    first === "acl" && conditions.includes(name)
  )
    .flatMap(({ words }) => words.slice(3));
  return [...conditions, ...acls].filter((word) => HOST_NAME.test(word))
    .map((word) => word.toLowerCase());
}

function allowedHosts(seen: Seen): Finding {
  const { who, refused, names } = need(seen.serve);
  if (who === "stranger" || who === "silent") throw new Skip("serve does not answer (see serve)");
  if (names.length === 0) throw new Skip("haproxy.cfg leads no host name to the agent");
  if (refused.length === 0) {
    return ok(`${named(names)} ${who === "serve" ? "is answered" : "is in MCP_ALLOWED_HOSTS"}`);
  }
  return fault(
    `HAProxy leads ${named(refused)} to the agent, which refuses that Host (403)`,
    `Let serve have MCP_ALLOWED_HOSTS=localhost,127.0.0.1,${
      refused.join(",")
    }, and start it again.`,
  );
}

function trustedNetworks(seen: Seen): Finding {
  const { trustedNetworks, trustedAccess, port } = seen.settings.front;
  const trusts = createNetworks(trustedNetworks);
  const loopback = ["127.0.0.1", "::1"].filter(trusts);
  if (loopback.length === 0) {
    return ok(
      trustedNetworks.length === 0
        ? "everybody needs a token"
        : `no token is asked of ${named(trustedNetworks)}, and loopback is not among them`,
    );
  }
  const isForwarded = "value" in seen.config && agentBackends(seen.config.value, port).length > 0;
  const message = `MCP_TRUSTED_NETWORKS holds ${
    named(loopback)
  }: ${trustedAccess} access without a token for `;
  const remedy =
    `Leave loopback out of MCP_TRUSTED_NETWORKS; local clients show the token of ${seen.settings.tokenFile}.`;
  return isForwarded
    ? fault(`${message}whomever HAProxy forwards from there, that is everybody`, remedy)
    : warning(`${message}every user and program of this machine`, remedy);
}

export const AGENT_CHECKS: readonly Check[] = [
  {
    name: "serve",
    group: "agent",
    looksFor: "serve that answers at MCP_HOST:MCP_PORT and is ready, or somebody else in its place",
    judge: serve,
  },
  {
    name: "allowed-hosts",
    group: "agent",
    looksFor: "the host names that HAProxy leads to the agent in MCP_ALLOWED_HOSTS",
    judge: allowedHosts,
  },
  {
    name: "trusted-networks",
    group: "agent",
    looksFor: "loopback in MCP_TRUSTED_NETWORKS, from where HAProxy forwards strangers",
    judge: trustedNetworks,
  },
];
