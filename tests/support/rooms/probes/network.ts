/** The network: other ports, every spelling of loopback, names, and every protocol that Deno speaks. */
import {
  type Attempts,
  deno,
  eventOf,
  globals,
  got,
  Hidden,
  load,
  type Loose,
  type ProbeTarget,
  there,
} from "./attempt.ts";

export const network = ({ root, apiPort, otherPort, nobodysPort }: ProbeTarget): Attempts => ({
  "Runtime API by address": () => connectTo("127.0.0.1", apiPort),
  "Runtime API by name": () => connectTo("localhost", apiPort),
  "other port": () => connectTo("127.0.0.1", otherPort),
  "other port by name": () => connectTo("localhost", otherPort),
  "other address": () => connectTo("127.0.0.2", apiPort),
  "listen": () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  "listen everywhere": () => Deno.listen({ port: 0 }).close(),
  "listen on the Runtime API's port": () =>
    Deno.listen({ hostname: "127.0.0.2", port: apiPort }).close(),
  "serve": () => Deno.serve({ hostname: "127.0.0.1", port: 0 }, () => new Response()).shutdown(),
  "fetch": () => fetch(`http://127.0.0.1:${nobodysPort}/`),
  "fetch by a proxy": () => {
    const client = Deno.createHttpClient({
      proxy: { url: `http://127.0.0.1:${nobodysPort}` },
    });
    return fetch(`http://127.0.0.1:${apiPort}/`, { client } as RequestInit);
  },
  "WebSocket": () => openSocket(`ws://127.0.0.1:${nobodysPort}/`),
  "WebSocketStream": async () => {
    await new (there(globals.WebSocketStream))(`ws://127.0.0.1:${nobodysPort}/`).opened;
  },
  "EventSource": async () => {
    const source = new (there(globals.EventSource))(`http://127.0.0.1:${nobodysPort}/`);
    const opened = await new Promise((resolve) => {
      source.onopen = () => resolve(true);
      source.onerror = () => resolve(false);
    });
    source.close();
    if (!opened) throw new Hidden("EventSource failed");
  },
  "WebTransport": async () => {
    await new (there(globals.WebTransport))(`https://127.0.0.1:${nobodysPort}/`).ready;
  },
  "TLS": async () => (await Deno.connectTls({ hostname: "127.0.0.1", port: nobodysPort })).close(),
  "QUIC": async () => {
    await there(deno.connectQuic)({
      hostname: "127.0.0.1",
      port: nobodysPort,
      alpnProtocols: ["h3"],
    });
  },
  "QUIC endpoint": () => new (there(deno.QuicEndpoint))({ hostname: "127.0.0.1" }).close(),
  "UDP": () => there(deno.listenDatagram)({ transport: "udp", hostname: "127.0.0.1", port: 0 }),
  "unix socket": () => Deno.connect({ transport: "unix", path: "/run/systemd/notify" }),
  "unix socket in root": () =>
    Deno.listen({ transport: "unix", path: `${root}/data/probe.sock` }).close(),
  "unix socket outside": () =>
    Deno.listen({ transport: "unix", path: `${root}-probe.sock` }).close(),
  "unix datagrams outside": () =>
    there(deno.listenDatagram)({ transport: "unixpacket", path: `${root}-probe.sock` }),
  "unix socket's HTTP client": () => {
    const proxy = { transport: "unix", path: "/run/probe.sock" };
    return fetch(
      "http://probe.test/",
      { client: Deno.createHttpClient({ proxy } as Loose) } as Loose,
    );
  },
});

/** Names that would be looked up: with each a few bytes would leave the machine. */
export const names = ({ nobodysPort }: ProbeTarget): Attempts => ({
  "look up localhost": () => Deno.resolveDns("localhost", "A"),
  "look up at a server of one's own": () =>
    Deno.resolveDns("secret.probe.test", "TXT", {
      nameServer: { ipAddr: "127.0.0.1", port: nobodysPort },
    }),
  "connect to localhost.": () => connectTo("localhost.", nobodysPort),
  "connect to ip6-localhost": () => connectTo("ip6-localhost", nobodysPort),
  "connect to a name": () => connectTo("secret.probe.test", nobodysPort),
  "fetch from a name": () => fetch("http://secret.probe.test/"),
  "WebSocket to a name": () => openSocket("ws://secret.probe.test/"),
  "import an npm package": () => {
    got(Deno.build.standalone, "a checkout would ask the registry, whoever asks");
    return load("npm:left-pad@1.3.0");
  },
  "import a JSR package": () => load("jsr:@std/path@1"),
  "node:dns lookup": async () => (await import("node:dns/promises")).lookup("secret.probe.test"),
  "node:dns lookup of localhost": async () =>
    (await import("node:dns/promises")).lookup("localhost"),
  "node:dns resolve": async () => (await import("node:dns/promises")).resolve("secret.probe.test"),
  "node:dns resolver": async () => {
    const { Resolver } = await import("node:dns/promises");
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${nobodysPort}`]);
    await resolver.resolve4("secret.probe.test");
  },
  "node:dns lookupService": async () =>
    (await import("node:dns/promises")).lookupService("127.0.0.1", 22),
  "node:net to a name": async () => {
    const { connect } = await import("node:net");
    await eventOf(connect(nobodysPort, "secret.probe.test"), "connect");
  },
});

const SPELLINGS = [
  "127.0.0.1",
  "localhost",
  "LOCALHOST",
  "::1",
  "[::1]",
  "0:0:0:0:0:0:0:1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "[::ffff:127.0.0.1]",
  "127.0.0.1.",
  "0.0.0.0",
  "::",
  "0",
  "127.1",
  "127.0.1",
  "2130706433",
  "0x7f000001",
  "0x7f.0.0.1",
  "0177.0.0.1",
  "017700000001",
  "127.0.0.2",
  "１２７.０.０.１",
];

export function spellings({ nobodysPort }: ProbeTarget): Attempts {
  const bracketed = (name: string) => /:/.test(name) && !name.startsWith("[") ? `[${name}]` : name;
  return Object.fromEntries(SPELLINGS.flatMap((name) =>
    [
      [`connect ${name}`, () => connectTo(name, nobodysPort)],
      [`node:net ${name}`, async () => {
        const { connect } = await import("node:net");
        await eventOf(connect(nobodysPort, name), "connect");
      }],
      ...(URL.canParse(`http://${bracketed(name)}/`)
        ? [[`fetch ${name}`, () => fetch(`http://${bracketed(name)}:${nobodysPort}/`)]]
        : []),
    ] as [string, () => unknown][]
  ));
}

export const nodeNetwork = ({ nobodysPort, root }: ProbeTarget): Attempts => ({
  "node:net": async () => {
    const { connect } = await import("node:net");
    await eventOf(connect(nobodysPort, "127.0.0.1"), "connect");
  },
  "node:net unix": async () => {
    const { connect } = await import("node:net");
    await eventOf(connect("/run/systemd/notify"), "connect");
  },
  "node:net listen": () => listening("node:net", { host: "127.0.0.1", port: 0 }),
  "node:net listen on a path": () => listening("node:net", { path: `${root}-probe.sock` }),
  "node:http listen": () => listening("node:http", { host: "127.0.0.1", port: 0 }),
  "node:http": async () => {
    const { get } = await import("node:http");
    await eventOf(get(`http://127.0.0.1:${nobodysPort}/`), "response");
  },
  "node:https": async () => {
    const { get } = await import("node:https");
    await eventOf(get(`https://127.0.0.1:${nobodysPort}/`), "response");
  },
  "node:http2": async () => {
    const { connect } = await import("node:http2");
    await eventOf(connect(`http://127.0.0.1:${nobodysPort}`) as Loose, "connect");
  },
  "node:tls": async () => {
    const { connect } = await import("node:tls");
    await eventOf(connect(nobodysPort, "127.0.0.1"), "secureConnect");
  },
  "node:dgram": async () => {
    const { createSocket } = await import("node:dgram");
    const socket = createSocket("udp4");
    const bound = eventOf(socket, "listening");
    socket.bind(0, "127.0.0.1");
    await bound;
    socket.close();
  },
  "node:dgram send": async () => {
    const { createSocket } = await import("node:dgram");
    const socket = createSocket("udp4");
    const failed = eventOf(socket, "never");
    const sent = new Promise((resolve, reject) =>
      socket.send("x", nobodysPort, "127.0.0.1", (cause) => cause ? reject(cause) : resolve(0))
    );
    await Promise.race([failed, sent]);
    socket.close();
  },
});

async function listening(module: "node:net" | "node:http", where: object): Promise<void> {
  const { createServer } = await import(module);
  const server = createServer();
  const up = eventOf(server, "listening");
  server.listen(where);
  await up;
  server.close();
}

async function connectTo(hostname: string, port: number): Promise<void> {
  (await Deno.connect({ hostname, port })).close();
}

function openSocket(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve();
    socket.onerror = (event) => reject(new Hidden(String(event)));
  });
}
