/**
 * Clients that ask HAProxy without a pause, to see whether anything is lost while something happens to it.
 * They count what a user of a real client would see: nothing is sent again but what HTTP/2 itself
 * declares unprocessed.
 *
 *     await using load = startLoad(haproxy, "h2", { host: "example.com", names: ["alpha"] });
 *     await load.more(100);
 *     await haproxy.reload();
 *     const { answered, failures } = await load.stop();
 *
 * Needs what haproxy.ts needs, and for "h3" CURL_HTTP3 (--allow-env) and --allow-run of it.
 */
import type { Haproxy } from "./haproxy.ts";
import { startH1Load } from "./load/h1.ts";
import { startH2Load } from "./load/h2.ts";
import { startH3Load } from "./load/h3.ts";
import type { Load, LoadOptions } from "./load/tally.ts";

export type { Load, LoadReport } from "./load/tally.ts";

/** HTTP/1.1 in the clear and over TLS, HTTP/2 and HTTP/3; `fresh` with a new connection for each request. */
export const LOAD_KINDS = [
  "h1",
  "h1 fresh",
  "h1 tls",
  "h1 tls fresh",
  "h2",
  "h2 fresh",
  "h3",
  "h3 fresh",
] as const;
export type LoadKind = typeof LOAD_KINDS[number];

/** The name in the certificate that `init` makes. */
const SERVER_NAME = "haproxy-mcp.invalid";

export interface LoadWishes extends Omit<LoadOptions, "port" | "fresh"> {
  /**
   * What the clients trust, and the name they ask for (over HTTP/3: `host`).
   *
   * @default {the certificate that `init` makes; over HTTP/3 any}
   */
  readonly tls?: { readonly certificate: string; readonly serverName: string };
}

export async function startLoad(
  { root, options: { httpPort, httpsPort } }: Pick<Haproxy, "root" | "options">,
  kind: LoadKind,
  { tls: given, ...wishes }: LoadWishes,
): Promise<Load> {
  const fresh = kind.endsWith("fresh");
  const options = { ...wishes, fresh };
  if (kind.startsWith("h3")) {
    return startH3Load({ ...options, port: httpsPort, trusted: given?.certificate });
  }
  if (kind === "h1" || kind === "h1 fresh") return startH1Load({ ...options, port: httpPort });
  const tls = given ?? {
    certificate: await Deno.readTextFile(`${root}/certs/default.pem`),
    serverName: SERVER_NAME,
  };
  const start = kind.startsWith("h2") ? startH2Load : startH1Load;
  return start({ ...options, port: httpsPort, tls });
}
