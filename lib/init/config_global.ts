/** haproxy.cfg's `global` section: the process, its rights, its limits, its TLS defaults. */
import { hostPort, type InitOptions, paths } from "./options.ts";

/** Mozilla's intermediate profile, guidelines 5.7. */
const TLS = {
  curves: "X25519:prime256v1:secp384r1",
  ciphers: [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "DHE-RSA-AES128-GCM-SHA256",
    "DHE-RSA-AES256-GCM-SHA384",
    "DHE-RSA-CHACHA20-POLY1305",
  ].join(":"),
  ciphersuites: "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
};

/** Connections that HAProxy may hold at most, where the system's limit allows as many. */
const CONNECTIONS = 20_000;
/** Files that are no connection and no check: listeners, the Runtime API's clients, pollers, pipes. */
const OTHER_FILES = 1_000;

export function globalSection(options: InitOptions): string {
  const { api, pools, slots, serverState } = options;
  return `\
global
    # stdout: the journal under systemd, the engine's log in a container, and no socket in the chroot.
    log stdout format raw local0 info

    # Runtime API, for haproxy-mcp. It has no password: whoever reaches it rules this HAProxy, so it
    # stays on the loopback. A client beyond maxconn (10 by default) would hang without an error.
    stats socket ${api.address.includes(":") ? "ipv6" : "ipv4"}@${
    hostPort(api.address, api.port)
  } level admin expose-fd listeners
    stats timeout 30s
    stats maxconn 50
    # A second HAProxy on the same addresses fails to start, else both would get half of the traffic.
    # HAProxy 3.0 wants its master CLI (-S) on a unix socket then.
    noreuseport
    # Read at every start and reload. haproxy-mcp keeps it true: do not edit.
    server-state-file ${serverState}

    # maxconn is worked out at start from the open files that the system allows ('ulimit -Hn'), with
    # this many at most: 2 x ${CONNECTIONS} connections + ${pools} x ${slots} checks + ${OTHER_FILES} for the rest.
    fd-hard-limit ${2 * CONNECTIONS + pools * slots + OTHER_FILES}
    # Where the system allows too few, a warning and 100 connections: better than no start. Free slots
    # are not checked and need none.
    no strict-limits
    # After a reload the old process serves what it still has open, but not for ever.
    hard-stop-after 10m

${rights(options)}

    # Mozilla's intermediate profile: clients of the last ten years.
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets prefer-client-ciphers
    ssl-default-bind-curves ${TLS.curves}
    ssl-default-bind-ciphers ${TLS.ciphers}
    ssl-default-bind-ciphersuites ${TLS.ciphersuites}`;
}

function rights({ root, account, httpPort, httpsPort }: InitOptions): string {
  const lowPort = Math.min(httpPort, httpsPort) < 1024;
  if (account === undefined) {
    return `\
    # No user, group and chroot: these need root, and this file was written for an ordinary user.` +
      (lowPort
        ? `
    # Ports below 1024 then need CAP_NET_BIND_SERVICE from outside (systemd: AmbientCapabilities).`
        : "");
  }
  return `\
    # Root opens the ports and reads certificates, map and state file, at every reload too; the
    # workers that serve go on as this user, in an empty folder.
    user ${account.user}
    group ${account.group}
    chroot ${paths(root).chroot}
` + (lowPort
    ? `\
    # Without it a reload loses every HTTP/3 request in flight: QUIC then cannot have a socket each.
    setcap cap_net_bind_service`
    : `\
    # No 'setcap cap_net_bind_service': it is needed (by QUIC) for ports below 1024 only.`);
}
