/**
 * The haproxy.cfg that `init` writes, as a function of its options: valid on HAProxy 3.0, 3.2 and
 * 3.4. Its comments are for whoever reads the file at night, so they say why a line is there.
 */
import { frontends } from "./config_frontends.ts";
import { globalSection } from "./config_global.ts";
import { hostPort, type InitOptions, paths } from "./options.ts";

export function haproxyConfig(options: InitOptions): string {
  const sections = [
    header(options),
    globalSection(options),
    defaults(options),
    frontends(options),
    backends(options),
    pools(options),
  ];
  return sections.join("\n\n") + "\n";
}

function header({ root, container }: InitOptions): string {
  const { config, masterSocket, units } = paths(root);
  const start = container
    ? `\
# Start:  systemctl start haproxy, once ${units}/haproxy.container is in its place`
    : `\
# Start:  haproxy -W -S ${masterSocket},mode,600 -f ${config}
#         with mode,600,user,NAME where haproxy-mcp runs as another user than HAProxy's master`;
  return `\
# Written once by haproxy-mcp init, yours from then on; check it with: haproxy -c -f ${config}
${start}
# Domains, servers, weights and certificates are not in here: haproxy-mcp keeps them in the map, the
# state file and the crt-list named below, and changes them while HAProxy runs, without a reload.`;
}

function defaults({ checkPath }: InitOptions): string {
  const httpCheck = checkPath === undefined
    ? `
    # A server is up when it takes a TCP connection.`
    : `
    # A server is up when it answers this with 2xx or 3xx.
    option httpchk GET ${checkPath}`;
  return `\
defaults
    mode http
    log global
    option dontlognull

    timeout connect 5s
    timeout client 60s
    timeout server 60s
    # The whole request header has to arrive in this time: slow senders do not pile up.
    timeout http-request 10s
    timeout http-keep-alive 10s
    # A request waits at most this long for a free server.
    timeout queue 10s
    # Websockets and other tunnels, idle.
    timeout tunnel 1h
    timeout client-fin 30s
    # After a reload the old process answers once more on an HTTP/1.1 connection that rests, and says then
    # that it closes it. Otherwise it closes it under a request on its way, which no client may send again.
    option idle-close-on-response

    # Round robin follows weights that change at run time.
    balance roundrobin
    # A connection that fails is tried again on another server; a request once sent is never repeated.
    retries 3
    option redispatch 1
    option forwardfor

    # Addresses, weights and states of the servers, as haproxy-mcp last left them.
    load-server-state-from-file global
${httpCheck.slice(1)}
    # 'last' is the address in the state file, 127.0.0.1 a free slot's. Never 'libc': the start would
    # then look up slot.invalid once for each slot.
    default-server check inter 2s fall 2 rise 1 init-addr last,127.0.0.1`;
}

function backends({ mcp }: InitOptions): string {
  const unknownHost = `\
# No domain of the map has this name. 404 and not 503: nothing is down, so neither clients nor monitors
# should try again. A pool whose servers are all down answers HAProxy's own 503.
backend be_unknown_host
    http-request return status 404 content-type "text/html; charset=utf-8" hdr cache-control no-store string "<!doctype html><title>Unknown host</title><h1>Unknown host</h1><p>No site is served here under this name.</p>"`;
  if (mcp === undefined) return unknownHost;
  return `${unknownHost}

# The agent. Its answers can be event streams that are silent for long.
backend be_mcp
    timeout server 1h
    server agent ${hostPort(mcp.address, mcp.port)} no-check`;
}

function pools({ pools, slots }: InitOptions): string {
  const names = Array.from({ length: pools }, (_, index) => `pool_${index + 1}`);
  return `\
# ${pools} pools of ${slots} slots. A slot is disabled until haproxy-mcp puts a server into it. It has a
# host name because HAProxy takes addresses from the state file for such servers only.
${
    names.map((name) =>
      `backend ${name}\n    server-template ${name}_ 1-${slots} slot.invalid:1 disabled`
    )
      .join("\n")
  }`;
}
