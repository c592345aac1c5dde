/** Bytes: all of an open file's, where a single call of the system may be cut short; several as one; their digest. */
import { createHash } from "node:crypto";

/** Bytes. */
const SMALL = 64 * 1024;

/** From where it stands to its end, which may be beyond `size` by now. */
export async function readWhole(file: Deno.FsFile, size: number): Promise<Uint8Array> {
  if (size <= SMALL) return readSmall(file, size);
  return new Uint8Array(await new Response(file.readable).arrayBuffer());
}

function readSmall(file: Deno.FsFile, size: number): Uint8Array {
  // One byte more, so that the end shows.
  let bytes = new Uint8Array(size + 1);
  for (let length = 0;;) {
    const read = file.readSync(bytes.subarray(length));
    if (read === null) return bytes.subarray(0, length);
    length += read;
    if (length < bytes.length) continue;
    const longer = new Uint8Array(bytes.length * 2);
    longer.set(bytes);
    bytes = longer;
  }
}

/** A full disk, among others, cuts a write short. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
}

/** For a few lines, which the kernel takes at once: a hop to another thread costs twenty times as much as they do. */
export function writeAllSync(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) {
    written += file.writeSync(bytes.subarray(written));
  }
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** In lower-case hex. */
export const sha256 = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex");
