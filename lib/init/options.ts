/** What `haproxy-mcp init` is told: everything that haproxy.cfg and the folder layout depend on. */
import { join } from "node:path";
import { settingsFilePath } from "../config/settings_file.ts";

export interface InitOptions {
  /** Base folder, absolute; it stands in haproxy.cfg, so it is made of plain characters only. */
  readonly root: string;
  /** The map and the server-state-file, absolute. Everything else has a fixed place under `root`. */
  readonly map: string;
  readonly serverState: string;
  /** Backends `pool_1` to `pool_POOLS`, each with servers `pool_N_1` to `pool_N_SLOTS`. */
  readonly pools: number;
  readonly slots: number;
  /** IP literals to listen on, v6 without brackets. */
  readonly bind: readonly string[];
  readonly httpPort: number;
  /** TCP for HTTP/1.1 and HTTP/2, UDP for HTTP/3. */
  readonly httpsPort: number;
  /** haproxy.cfg of a HAProxy that runs already, elsewhere than ours would be; undefined: ours is written. */
  readonly otherConfig?: string;
  /** Runtime API: an IP literal of the loopback. */
  readonly api: { readonly address: string; readonly port: number };
  /** The host name that leads to the agent, and where the agent listens; undefined: no such route. */
  readonly mcp?: { readonly host: string; readonly address: string; readonly port: number };
  /** Path that health checks GET; undefined: a TCP connection is enough. */
  readonly checkPath?: string;
  /** Whom the workers become when root starts HAProxy; undefined: an ordinary user starts it. */
  readonly account?: { readonly user: string; readonly group: string };
  /** HAProxy runs in Podman, and its master CLI listens on this port of the loopback; undefined: it runs on this machine. */
  readonly container?: { readonly name: string; readonly masterPort: number };
}

/** The contract's defaults under `root`, for an ordinary user. */
export function defaultOptions(root: string): InitOptions {
  return {
    root,
    map: join(root, "conf/domains.map"),
    serverState: join(root, "conf/servers.state"),
    pools: 100,
    slots: 10,
    bind: ["0.0.0.0", "::"],
    httpPort: 80,
    httpsPort: 443,
    api: { address: "127.0.0.1", port: 9999 },
  };
}

/** Files and folders with a fixed place under the root. */
export function paths(root: string) {
  return {
    config: join(root, "conf/haproxy.cfg"),
    crtList: join(root, "certs/crt-list.txt"),
    defaultCertificate: join(root, "certs/default.pem"),
    servers: join(root, "conf/servers.json"),
    masterSocket: join(root, "run/master.sock"),
    /** Of the agent's unit. */
    environment: settingsFilePath(root),
    /** Units and what belongs to them, to be copied into their places. */
    units: join(root, "systemd"),
    /** Stays empty: the workers' file system once they have read their files. */
    chroot: join(root, "run/chroot"),
  } as const;
}

/** `10.0.0.1:80`, `[::1]:80`. */
export function hostPort(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * Why a path can't be used, or undefined. It stands in haproxy.cfg and in shell lines that people copy,
 * where blanks, quotes, `$`, `#`, commas and the like mean something.
 */
export function pathProblem(path: string): string | undefined {
  if (!path.startsWith("/")) return "it has to be an absolute path";
  if (!/^[A-Za-z0-9._/+@-]+$/.test(path)) {
    return "only letters, digits and . _ - + @ / may be in it, since it stands in haproxy.cfg";
  }
  return undefined;
}

/** As pathProblem, and short enough for the master socket: HAProxy takes 97 characters of a socket's path. */
export function rootProblem(root: string): string | undefined {
  if (root.length > 80) return "it is longer than 80 characters, too long for the sockets under it";
  return root === "/" ? "it has to be a folder of its own" : pathProblem(root);
}
