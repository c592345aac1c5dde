/** What strangers try at the port of `serve`. Each attempt answers whether it was denied. */
import { add, bearer, HOST, INITIALIZE, MCP, post } from "./front_requests.ts";
import { request, type Said, say } from "./say.ts";

type Attempt = () => Promise<boolean>;
export type Attempts = Readonly<Record<string, Attempt>>;

const none2xx = ({ statuses }: Said) => statuses.every((status) => status >= 300);
const refused = (port: number, text: string, answers = 1): Attempt => async () =>
  none2xx(await say(port, text, { answers }));

/** Whoever gets in by the network shall not be used by a page in a browser. */
export function rebinding(port: number): Attempts {
  const hosts = [
    "evil.test",
    "127.0.0.1.evil.test",
    "localhost.evil.test",
    "evil.test:8000",
    "127.0.0.1@evil.test",
    "evil.test#127.0.0.1",
    "evil.test/127.0.0.1",
    "evil.test\\127.0.0.1",
    "127.0.0.1, evil.test",
    "127.0.0.1 evil.test",
    "127.0.0.2",
    "0x7f.evil.test",
    "",
    "%31%32%37.0.0.1.evil.test",
  ];
  const origins = [
    "http://evil.test",
    "https://evil.test",
    "null",
    "http://127.0.0.1:1",
    "http://127.0.0.1.evil.test",
    "http://localhost",
    "http://evil.test@127.0.0.1",
    "file://",
    "http://127.0.0.1, http://evil.test",
    "",
  ];
  return {
    ...Object.fromEntries(
      hosts.map((host) => [`Host: ${host}`, refused(port, post([`Host: ${host}`]))]),
    ),
    ...Object.fromEntries(
      origins.map((origin) => [
        `Origin: ${origin}`,
        refused(port, post([HOST, `Origin: ${origin}`])),
      ]),
    ),
    "no Host": refused(port, post([])),
    "two Hosts": refused(port, post([HOST, "Host: evil.test"])),
    "two Hosts, ours last": refused(port, post(["Host: evil.test", HOST])),
    "two Origins": refused(
      port,
      post([HOST, "Origin: http://evil.test", "Origin: http://127.0.0.1"]),
    ),
    "absolute target": refused(
      port,
      request("POST http://evil.test/mcp", ["Host: evil.test", ...MCP], INITIALIZE),
    ),
  };
}

/** One request that somebody else on the way would take for another number of them. */
export function smuggling(port: number, token: string): Attempts {
  const inner = add([bearer(token)]);
  const first = (lines: readonly string[], body: string) =>
    request("POST /healthz", [HOST, ...lines], body);
  /** The inner request must not be answered. Whether it ran is seen at the end, too. */
  const hidden = (text: string): Attempt => async () => {
    const { statuses } = await say(port, text, { silentMs: 2_000 });
    return statuses.length < 2 && !statuses.includes(200);
  };
  const both = `Content-Length: ${inner.length + 5}`;
  return {
    "Content-Length and Transfer-Encoding": hidden(
      first([both, "Transfer-Encoding: chunked"], `0\r\n\r\n${inner}`),
    ),
    "Transfer-Encoding and Content-Length": hidden(
      first(["Transfer-Encoding: chunked", both], `0\r\n\r\n${inner}`),
    ),
    "two Content-Lengths": hidden(
      first(["Content-Length: 0", `Content-Length: ${inner.length}`], inner),
    ),
    "two Content-Lengths, the long one first": hidden(
      first([`Content-Length: ${inner.length}`, "Content-Length: 0"], inner),
    ),
    "a list of Content-Lengths": hidden(first([`Content-Length: 0, ${inner.length}`], inner)),
    "Content-Length: +0": hidden(first(["Content-Length: +0"], inner)),
    "Content-Length: -1": hidden(first(["Content-Length: -1"], inner)),
    "Content-Length: 0x0": hidden(first(["Content-Length: 0x0"], inner)),
    "Content-Length of 2^64": hidden(first(["Content-Length: 18446744073709551616"], inner)),
    "blank before the colon": hidden(
      first(["Transfer-Encoding : chunked", "Content-Length: 0"], inner),
    ),
    "chunked, identity": hidden(
      first(["Transfer-Encoding: chunked, identity"], `0\r\n\r\n${inner}`),
    ),
    "identity": hidden(first(["Transfer-Encoding: identity", "Content-Length: 0"], inner)),
    "xchunked": hidden(first(["Transfer-Encoding: xchunked"], `0\r\n\r\n${inner}`)),
    "chunked twice": hidden(
      first(["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], `0\r\n\r\n${inner}`),
    ),
    "folded Transfer-Encoding": hidden(
      first(["Transfer-Encoding:\r\n chunked", "Content-Length: 0"], inner),
    ),
    "folded header": hidden(first(["X-A: b\r\n c", "Content-Length: 0"], inner)),
    "vertical tab": hidden(first(["Transfer-Encoding: \x0bchunked", "Content-Length: 0"], inner)),
    "bare CR": hidden(first(["X-A: b\rTransfer-Encoding: chunked", "Content-Length: 0"], inner)),
    "NUL": hidden(first(["X-A: b\0", "Content-Length: 0"], inner)),
    "chunk size that overflows": hidden(
      first(["Transfer-Encoding: chunked"], `10000000000000000\r\n\r\n${inner}`),
    ),
    "negative chunk size": hidden(first(["Transfer-Encoding: chunked"], `-1\r\n\r\n${inner}`)),
    "chunk without its end": hidden(
      first(["Transfer-Encoding: chunked"], `1\r\naX0\r\n\r\n${inner}`),
    ),
    "HTTP/1.0 with chunks": hidden(
      first(["Transfer-Encoding: chunked"], `0\r\n\r\n${inner}`).replace("HTTP/1.1", "HTTP/1.0"),
    ),
    "body of a GET": hidden(request("GET /mcp", [HOST, `Content-Length: ${inner.length}`], inner)),
    "a second request without the token of the first": async () => {
      const one = request("GET /metrics", [HOST, bearer(token)]);
      const { statuses } = await say(port, one + request("GET /metrics", [HOST]), { answers: 2 });
      return statuses.join() === "200,401";
    },
    "a second request behind a refused one": async () => {
      const { statuses } = await say(port, post([HOST]) + inner, { silentMs: 500 });
      return !statuses.includes(200);
    },
    "an upgrade to HTTP/2": hidden(
      request("GET /metrics", [HOST, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"]),
    ),
    "a WebSocket": hidden(request("GET /mcp", [HOST, "Connection: Upgrade", "Upgrade: websocket"])),
    "a tunnel": hidden(request("CONNECT 127.0.0.1:22", [HOST])),
  };
}

/** What a header or a path says must not become a header of the answer. */
export function injection(port: number, token: string): Attempts {
  const evil = "X-Evil: 1";
  const quiet = (text: string): Attempt => async () => {
    const { text: said } = await say(port, text, { answers: 1 });
    return !/^x-evil:/im.test(said.split("\r\n\r\n")[0]);
  };
  const values = [`a\r\n${evil}`, `a\n${evil}`, `a\r${evil}`, `a%0d%0a${evil}`, `a\0\r\n${evil}`];
  const named = (name: string) =>
    Object.fromEntries(
      values.map((value) => [
        `${name}: ${JSON.stringify(value)}`,
        quiet(post([HOST, bearer(token), `${name}: ${value}`])),
      ]),
    );
  return {
    ...named("Origin"),
    ...named("Mcp-Session-Id"),
    ...named("MCP-Protocol-Version"),
    ...named("Last-Event-ID"),
    ...named("Mcp-Method"),
    ...Object.fromEntries(values.map((value) => [
      `path ${JSON.stringify(value)}`,
      quiet(request(`GET /${value.replaceAll(" ", "%20")}`, [HOST, bearer(token)])),
    ])),
  };
}

/** More than is taken: refused, and nobody else is held up. */
export function oversize(port: number, token: string): Attempts {
  const lines = [HOST, bearer(token)];
  const big = "x".repeat(2 * 1024 * 1024);
  const deep = "[".repeat(500_000);
  const keys = `{${Array.from({ length: 80_000 }, (_, i) => `"k${i}":0`).join()}}`;
  const chunked = [...lines, "Transfer-Encoding: chunked"];
  return {
    "a header of 2 MiB": refused(port, post([...lines, `X-A: ${big}`])),
    "20,000 headers": refused(
      port,
      post([...lines, ...Array.from({ length: 20_000 }, (_, i) => `X-${i}: a`)]),
    ),
    "a path of 2 MiB": refused(port, request(`GET /${big}`, lines)),
    "a method of 2 MiB": refused(port, request(`${big} /mcp`, lines)),
    "a token of 2 MiB": refused(port, post([HOST, bearer(big)])),
    "a body of 2 MiB": refused(port, post(lines, big)),
    "a body of 2 MiB in one chunk": refused(port, post(chunked, `200000\r\n${big}\r\n0\r\n\r\n`)),
    "a chunk extension of 2 MiB": refused(port, post(chunked, `1;${big}\r\nx\r\n0\r\n\r\n`)),
    "trailers of 2 MiB": refused(port, post(chunked, `1\r\nx\r\n0\r\nX-A: ${big}\r\n\r\n`)),
    "JSON 500,000 deep": refused(port, post(lines, deep + "]".repeat(500_000))),
    "JSON 500,000 deep, open": refused(port, post(lines, deep)),
    "JSON of 80,000 keys": refused(port, post(lines, keys)),
    "a batch of 30,000": refused(
      port,
      post(lines, `[${Array(30_000).fill('{"jsonrpc":"2.0","method":"a"}').join()}]`),
    ),
    "a number of 1 MB": refused(port, post(lines, "9".repeat(1_000_000))),
  };
}

/** Says that it is somebody who needs no token. */
export function forged(port: number): Attempts {
  const trusted = "100.64.0.1";
  const headers = [
    `X-Forwarded-For: ${trusted}`,
    `X-Forwarded-For: ${trusted}, 127.0.0.1`,
    `X-Forwarded-For: ::ffff:${trusted}`,
    `X-Real-IP: ${trusted}`,
    `X-Client-IP: ${trusted}`,
    `X-Cluster-Client-IP: ${trusted}`,
    `Client-IP: ${trusted}`,
    `True-Client-IP: ${trusted}`,
    `CF-Connecting-IP: ${trusted}`,
    `Fastly-Client-IP: ${trusted}`,
    `Forwarded: for=${trusted}`,
    `Forwarded: for="[::ffff:${trusted}]";proto=https`,
    `X-Forwarded-Host: 127.0.0.1`,
    `X-Original-Forwarded-For: ${trusted}`,
    `X-Remote-User: admin`,
    `Tailscale-User-Login: admin`,
    `Via: 1.1 ${trusted}`,
  ];
  const v2 = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x64\x40\0\x01\x7f\0\0\x01\x10\0\0\x50";
  return {
    ...Object.fromEntries(headers.map((line) => [line, refused(port, post([HOST, line]))])),
    "PROXY v1": refused(port, `PROXY TCP4 ${trusted} 127.0.0.1 4000 80\r\n${post([HOST])}`),
    "PROXY v2": refused(port, v2 + post([HOST])),
  };
}

/** Near a token, or it in a place where none is looked for. */
export function misplaced(port: number, token: string): Attempts {
  const swapped = token.replace(
    /[a-zA-Z]/,
    (letter) => letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
  const lines: Readonly<Record<string, readonly string[]>> = {
    "all but its last character": [bearer(token.slice(0, -1))],
    "one character more": [bearer(`${token}a`)],
    "another case": [bearer(swapped)],
    "twice": [bearer(token + token)],
    "with a comma": [bearer(`${token},x`)],
    "as Basic": [`Authorization: Basic ${btoa(`:${token}`)}`],
    "as Token": [`Authorization: Token ${token}`],
    "without a scheme": [`Authorization: ${token}`],
    "behind another": [bearer("wrong"), bearer(token)],
    "before another": [bearer(token), bearer("wrong")],
    "in Proxy-Authorization": [`Proxy-Authorization: Bearer ${token}`],
    "in a cookie": [`Cookie: token=${token}; Authorization=Bearer ${token}`],
    "in X-Api-Key": [`X-Api-Key: ${token}`],
    "in the session's id": [`Mcp-Session-Id: ${token}`],
    "nothing": ["Authorization: Bearer "],
    "a star": [bearer("*")],
    "the digest": [bearer("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")],
  };
  return {
    ...Object.fromEntries(
      Object.entries(lines).map(([name, each]) => [
        `token ${name}`,
        refused(port, post([HOST, ...each])),
      ]),
    ),
    "token in the query": refused(
      port,
      request(`POST /mcp?access_token=${token}&token=${token}`, [HOST, ...MCP], INITIALIZE),
    ),
    "path with dots": refused(port, request("GET /healthz/../metrics", [HOST])),
    "path with encoded dots": refused(port, request("GET /healthz/%2e%2e/metrics", [HOST])),
    "path in capitals": refused(port, request("GET /METRICS", [HOST])),
    "path with two slashes": refused(port, request("GET //metrics", [HOST])),
    "path with a semicolon": refused(port, request("GET /healthz;/metrics", [HOST])),
    "path with an encoded slash": refused(port, request("GET /healthz%2f..%2fmetrics", [HOST])),
    "another method in a header": refused(
      port,
      request("GET /metrics", [HOST, "X-HTTP-Method-Override: OPTIONS"]),
    ),
  };
}
