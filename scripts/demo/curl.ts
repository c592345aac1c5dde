/** Requests through HAProxy as a person would make them: by curl, or by the demo itself where there is none. */
import { request } from "../../tests/support/request.ts";
import { requestHttp2 } from "../../tests/support/request_http2.ts";
import type { Ports } from "./haproxy.ts";

export interface Asked {
  readonly host: string;
  /** @default {"/"} */
  readonly path?: string;
  /** Over TLS, and HTTP/2. @default {false} */
  readonly tls?: boolean;
}

/** The command to type for it. */
export function curlLine({ host, path = "/", tls = false }: Asked, { http, https }: Ports): string {
  const word = (url: string) => url.includes("?") ? `'${url}'` : url;
  return tls
    ? `curl -k --http2 --resolve ${host}:${https}:127.0.0.1 ` +
      word(`https://${host}:${https}${path}`)
    : `curl -H 'Host: ${host}' ` + word(`http://127.0.0.1:${http}${path}`);
}

/** Asks once, on a connection of its own. */
export type Ask = (asked: Asked) => Promise<string>;

/** @param curl absolute path; empty: the demo asks by itself */
export function asker(curl: string, ports: Ports): Ask {
  return curl === "" ? askDirectly(ports) : askByCurl(curl, ports);
}

const askByCurl = (curl: string, { http, https }: Ports): Ask => async (asked) => {
  const { host, path = "/", tls = false } = asked;
  const target = tls
    ? [
      "-k",
      "--http2",
      "--resolve",
      `${host}:${https}:127.0.0.1`,
      `https://${host}:${https}${path}`,
    ]
    : ["-H", `Host: ${host}`, `http://127.0.0.1:${http}${path}`];
  // Nothing of the person's own: no .curlrc (-q, which has to be first), no proxy (the cleared environment).
  const args = ["-q", "-s", "-S", "-m", "10", "-w", "\\n%{http_code} %{http_version}", ...target];
  const { success, stdout, stderr } = await new Deno.Command(curl, {
    args,
    clearEnv: true,
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) return text(stderr);
  const [, body, status, version] = /^([^]*)\n(\d+) (\S+)$/.exec(text(stdout)) ?? [];
  return answerText(Number(status), body, version);
};

const askDirectly = ({ http, https }: Ports): Ask => async ({ host, path, tls }) => {
  try {
    const { status, body } = tls
      ? await requestHttp2({ port: https, host, path })
      : await request({ port: http, host, path });
    return answerText(status, body, tls ? "2" : "1.1");
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
};

/** A backend's name; `404 Unknown host` for HAProxy's own page; the protocol where it is not the usual one. */
export function answerText(status: number, body: string, version: string): string {
  const [, title] = /<title>([^<]*)/.exec(body) ?? [];
  const what = status === 200 ? body.trim() : `${status} ${title ?? ""}`.trim();
  return version === "1.1" ? what : `${what} over HTTP/${version}`;
}
