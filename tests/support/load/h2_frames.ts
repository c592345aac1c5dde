/** As much of HTTP/2's framing (RFC 9113, sections 3.4 to 6) as a client of HAProxy needs. */
import { concat } from "../../../lib/bytes.ts";
import type { Socket } from "./socket.ts";

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  ACK: 1,
  END_STREAM: 1,
  END_HEADERS: 4,
} as const;

const HEAD = 9;

export function frame(
  type: number,
  flags: number,
  id: number,
  payload: Uint8Array = new Uint8Array(),
) {
  const head = new Uint8Array(HEAD);
  const view = new DataView(head.buffer);
  view.setUint32(0, payload.length << 8 | type);
  view.setUint8(4, flags);
  view.setUint32(5, id);
  return concat([head, payload]);
}

function uint32(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Empty settings, and a window for the whole connection that a test's small bodies never fill. */
export const PREFACE = concat([
  new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(FRAME.SETTINGS, 0, 0),
  frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(2 ** 30)),
]);

/** The frames that have come completely. */
export function* parseFrames(socket: Socket) {
  while (socket.received.length >= HEAD) {
    const view = new DataView(socket.received.buffer, socket.received.byteOffset);
    const length = view.getUint32(0) >>> 8;
    if (socket.received.length < HEAD + length) return;
    const head = { type: view.getUint8(3), flags: view.getUint8(4), id: view.getUint32(5) };
    socket.take(HEAD);
    yield { ...head, payload: socket.take(length) };
  }
}

/** A GET. Nothing is put into HPACK's table (RFC 7541, section 6.2.2; names from appendix A). */
export function encodeRequest(id: number, host: string, path: string): Uint8Array {
  const [GET, HTTPS, AUTHORITY, PATH] = [0x82, 0x87, 0x01, 0x04];
  const text = (value: string) => {
    // Longer ones have another length field.
    if (value.length > 126) throw new Error(`${value} is too long`);
    return [value.length, ...new TextEncoder().encode(value)];
  };
  const block = [GET, HTTPS, AUTHORITY, ...text(host), PATH, ...text(path)];
  return frame(FRAME.HEADERS, FRAME.END_STREAM | FRAME.END_HEADERS, id, new Uint8Array(block));
}

/** `:status` comes first; HAProxy writes it by its static index or, seldom, as three digits. */
export function statusOf(block: Uint8Array): number | undefined {
  const STATIC = [200, 204, 206, 304, 400, 404, 500];
  const [first, length] = block;
  if (first >= 0x88 && first <= 0x8e) return STATIC[first - 0x88];
  if ((first & 0x0f) === 8 && length === 3) {
    return Number(new TextDecoder().decode(block.subarray(2, 5)));
  }
  return undefined;
}
