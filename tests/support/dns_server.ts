/**
 * A DNS server of a test's own, on UDP at a free port of a loopback address: it answers what it is told, and counts.
 *
 *     await using server = await startDnsServer({ "example.test": { NS: ["ns.example.test"] } });
 */
import { createSocket, type Socket } from "node:dgram";

export interface DnsRecords {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  /** Names without a dot at the end. */
  readonly NS?: readonly string[];
  /** Each record is a string, or several, of bytes as they are. */
  readonly TXT?: readonly (string | readonly string[])[];
}

export interface DnsServer extends AsyncDisposable {
  readonly ipAddr: string;
  readonly port: number;
  /** `TYPE name`, in the order in which they came. */
  readonly questions: string[];
  /** By name, in lower case. A name that is not there does not exist. */
  records: Readonly<Record<string, DnsRecords>>;
  /** Takes questions, and answers none. */
  mute: boolean;
}

const TYPES = { A: 1, NS: 2, TXT: 16, AAAA: 28 } as const;
type Type = keyof typeof TYPES;
const NO_SUCH_NAME = 3;

export async function startDnsServer(
  records: DnsServer["records"] = {},
  ipAddr = "127.0.0.1",
): Promise<DnsServer> {
  const socket: Socket = createSocket(ipAddr.includes(":") ? "udp6" : "udp4");
  await new Promise<void>((resolve) => socket.bind(0, ipAddr, () => resolve()));
  const server: DnsServer = {
    ipAddr,
    port: socket.address().port,
    questions: [],
    records,
    mute: false,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
  socket.on("message", (message: Uint8Array, from) => {
    const { name, type, end } = question(message);
    server.questions.push(`${type} ${name}`);
    if (server.mute) return;
    const found = server.records[name];
    const data = found?.[type]?.map((value) => encode(type, value)) ?? [];
    const answers = data.flatMap((bytes) => [
      ...[0xc0, 12, 0, TYPES[type], 0, 1, 0, 0, 0, 1, bytes.length >> 8, bytes.length & 255],
      ...bytes,
    ]);
    socket.send(
      new Uint8Array([
        ...message.subarray(0, 2),
        ...[0x84, found ? 0 : NO_SUCH_NAME, 0, 1, data.length >> 8, data.length & 255, 0, 0, 0, 0],
        ...message.subarray(12, end),
        ...answers,
      ]),
      from.port,
      from.address,
    );
  });
  return server;
}

function question(message: Uint8Array): { name: string; type: Type; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (; message[at] > 0; at += message[at] + 1) {
    labels.push(new TextDecoder().decode(message.subarray(at + 1, at + 1 + message[at])));
  }
  const number = message[at + 1] << 8 | message[at + 2];
  const [type] = Object.entries(TYPES).find(([, value]) => value === number) ?? ["?"];
  return { name: labels.join(".").toLowerCase(), type: type as Type, end: at + 5 };
}

function encode(type: Type, value: string | readonly string[]): number[] {
  const bytes = (text: string) => Array.from(text, (character) => character.charCodeAt(0));
  const counted = (text: string) => [text.length, ...bytes(text)];
  if (type === "TXT") return [value].flat().flatMap((text) => counted(text));
  if (type === "A") return String(value).split(".").map(Number);
  if (type === "NS") return [...String(value).split(".").flatMap(counted), 0];
  return groups(String(value)).flatMap((group) => [group >> 8, group & 255]);
}

/** The eight of an IPv6 address. */
function groups(address: string): number[] {
  const [head, tail] = address.split("::").map((part) => part.split(":").filter(Boolean));
  const zeros = Array(8 - head.length - (tail?.length ?? 0)).fill("0");
  return [...head, ...(tail ? zeros : []), ...(tail ?? [])].map((group) => parseInt(group, 16));
}
