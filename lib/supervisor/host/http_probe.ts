/** One GET of this machine's own agent, with any Host header, and past whatever proxy the environment names. */
import { unlessAborted } from "../../pause.ts";

const MAX_BYTES = 64 * 1024;

export interface ProbeAnswer {
  readonly status: number;
  /** Head and body, as they came. */
  readonly text: string;
}

/** What answers at the address; undefined: it is no HTTP. Throws what connecting throws, and the signal's reason. */
export async function probe(
  { host, port }: { readonly host: string; readonly port: number },
  { path, as = host, signal }: {
    readonly path: string;
    /** The Host header's name. @default {host} */
    readonly as?: string;
    readonly signal: AbortSignal;
  },
): Promise<ProbeAnswer | undefined> {
  using connection = await Deno.connect({ hostname: host, port, signal });
  const name = as.includes(":") ? `[${as}]` : as;
  const head = `GET ${path} HTTP/1.1\r\nHost: ${name}:${port}\r\nConnection: close\r\n\r\n`;
  await connection.write(new TextEncoder().encode(head));
  const text = await unlessAborted(readAll(connection), signal);
  const status = /^HTTP\/1\.[01] (\d{3}) /.exec(text)?.[1];
  return status === undefined ? undefined : { status: Number(status), text };
}

async function readAll(connection: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(16 * 1024);
  let text = "";
  for (let total = 0; total < MAX_BYTES;) {
    const length = await connection.read(buffer);
    if (length === null) break;
    total += length;
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
  return text;
}
