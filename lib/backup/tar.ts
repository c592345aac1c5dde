/**
 * Tar, as far as a backup needs it (POSIX.1-2024, pax: "ustar Interchange Format" and "pax Header Block"): plain files
 * alone, each with its name, mode and time. The reader takes what the writer makes and nothing else: no links, no folders,
 * no owners, no extensions but a long name.
 */
import { concat } from "../bytes.ts";

export interface TarFile {
  readonly name: string;
  readonly content: Uint8Array;
}

export interface TarOptions {
  /** Seconds since 1970: when the files were as they are. */
  readonly time: number;
  /** Permission bits of each file. @default {0o600} */
  readonly mode?: number;
}

const BLOCK = 512;
/** Bytes of the fields that hold a name: its last part, and what stands before the slash. */
const NAME = 100, PREFIX = 155;
/** In a header: where a field begins, and how many bytes it has. */
const FIELDS = {
  name: [0, NAME],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  time: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  owners: [265, 64],
  devices: [329, 16],
  prefix: [345, PREFIX],
  rest: [500, 12],
} as const;
type Field = keyof typeof FIELDS;

const MAGIC = "ustar\x0000";
const PLAIN = "0", EXTENDED = "x";
/** What `tar` fills an archive up to. */
const MOST_PADDING = 20 * BLOCK;
/** Its name is another one, so the longest there is fits in. */
const MAX_EXTENDED = 16 * BLOCK;

const encoder = new TextEncoder();
const encode = (text: string) => encoder.encode(text);

export function writeTar(files: readonly TarFile[], options: TarOptions): Uint8Array<ArrayBuffer> {
  const parts = files.flatMap(({ name, content }): Uint8Array[] => [
    ...nameBlocks(name, content.length, options),
    content,
    new Uint8Array(padding(content.length)),
  ]);
  return concat([...parts, new Uint8Array(2 * BLOCK)]);
}

/** The header of a file; where its name does not fit, one before it that has the name. */
function nameBlocks(name: string, size: number, options: TarOptions): Uint8Array[] {
  const parts = splitName(name);
  if (parts) return [header({ ...parts, size, type: PLAIN, ...options })];
  const record = nameRecord(name);
  return [
    header({ prefix: "", name: "long-name", size: record.length, type: EXTENDED, ...options }),
    record,
    new Uint8Array(padding(record.length)),
    header({ prefix: "", name: "see-before", size, type: PLAIN, ...options }),
  ];
}

/** Undefined where it fits into no two fields. */
function splitName(name: string): { readonly prefix: string; readonly name: string } | undefined {
  const fits = (part: string, bytes: number) => encode(part).length <= bytes;
  if (fits(name, NAME)) return { prefix: "", name };
  const slash = name.lastIndexOf("/");
  const parts = { prefix: name.slice(0, Math.max(0, slash)), name: name.slice(slash + 1) };
  return parts.prefix !== "" && fits(parts.prefix, PREFIX) && fits(parts.name, NAME)
    ? parts
    : undefined;
}

/** `LENGTH path=NAME\n`, where the length counts itself. */
function nameRecord(name: string): Uint8Array {
  const rest = encode(` path=${name}\n`).length;
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return encode(`${length} path=${name}\n`);
}

function header(
  { prefix, name, size, type, time, mode = 0o600 }: TarOptions & {
    readonly prefix: string;
    readonly name: string;
    readonly size: number;
    readonly type: string;
  },
): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (field: Field, text: string) => block.set(encode(text), FIELDS[field][0]);
  const octal = (value: number, bytes: number) => `${value.toString(8).padStart(bytes - 1, "0")}\0`;
  put("name", name);
  put("mode", octal(mode, 8));
  put("uid", octal(0, 8));
  put("gid", octal(0, 8));
  put("size", octal(size, 12));
  put("time", octal(time, 12));
  put("type", type);
  put("magic", MAGIC);
  put("devices", octal(0, 8).repeat(2));
  put("prefix", prefix);
  put("checksum", `${octal(checksumOf(block), 7)} `);
  return block;
}

/** The sum of all bytes, those of the checksum itself taken for blanks. */
function checksumOf(block: Uint8Array): number {
  const [at, length] = FIELDS.checksum;
  return block.reduce(
    (sum, byte, i) => sum + (i >= at && i < at + length ? 0x20 : byte),
    0,
  );
}

/**
 * The files, in their order.
 *
 * @throws {SyntaxError} with the place, in bytes, where it is not what {@linkcode writeTar} makes
 */
export function readTar(bytes: Uint8Array): TarFile[] {
  const files: TarFile[] = [];
  let long: string | undefined;
  for (let at = 0;;) {
    const fail = (why: string) => new SyntaxError(`at byte ${at} ${why}`);
    if (bytes.length - at < BLOCK) throw fail("it ends too early");
    const block = bytes.subarray(at, at + BLOCK);
    if (isZero(block)) {
      if (long !== undefined) throw fail("a name has no file");
      checkEnd(bytes.subarray(at), fail);
      return files;
    }
    const { name, size, type } = readHeader(block, fail);
    const begin = at + BLOCK;
    const end = begin + size;
    if (end + padding(size) > bytes.length) throw fail("a file ends too early");
    if (!isZero(bytes.subarray(end, end + padding(size)))) throw fail("a file has no clean end");
    const content = bytes.subarray(begin, end);
    if (type === PLAIN) {
      files.push({ name: long ?? name, content });
      long = undefined;
    } else {
      if (long !== undefined || size > MAX_EXTENDED) throw fail("an extension is too much");
      long = readNameRecord(content, fail);
    }
    at = end + padding(size);
  }
}

type Fail = (why: string) => SyntaxError;

function readHeader(
  block: Uint8Array,
  fail: Fail,
): { readonly name: string; readonly size: number; readonly type: string } {
  const raw = (field: Field) => block.subarray(FIELDS[field][0], sum(FIELDS[field]));
  const text = (field: Field) => {
    const [, content] = /^([^\0]*)\0*$/.exec(decode(raw(field), fail)) ?? [];
    if (content === undefined) throw fail(`its ${field} can't be read`);
    return content;
  };
  const number = (field: Field) => {
    const [, digits] = /^([0-7]+)[\0 ]*$/.exec(decode(raw(field), fail)) ?? [];
    if (digits === undefined) throw fail(`its ${field} is no number`);
    return parseInt(digits, 8);
  };
  if (decode(raw("magic"), fail) !== MAGIC) throw fail("it is no tar archive");
  if (number("checksum") !== checksumOf(block)) throw fail("a header's checksum is wrong");
  const type = text("type");
  if (type !== PLAIN && type !== EXTENDED) {
    throw fail(`there is something that is no plain file (type ${JSON.stringify(type)})`);
  }
  for (const field of ["link", "owners", "rest"] as const) {
    if (!isZero(raw(field))) throw fail(`its ${field} is not empty`);
  }
  for (const field of ["mode", "uid", "gid", "time"] as const) number(field);
  const [prefix, name] = [text("prefix"), text("name")];
  return { name: prefix === "" ? name : `${prefix}/${name}`, size: number("size"), type };
}

function readNameRecord(content: Uint8Array, fail: Fail): string {
  const [, length, name] = /^([1-9]\d*) path=([^\0\n]+)\n$/.exec(decode(content, fail)) ?? [];
  if (name === undefined || Number(length) !== content.length) {
    throw fail("an extension is no name");
  }
  return name;
}

function checkEnd(rest: Uint8Array, fail: Fail): void {
  if (rest.length < 2 * BLOCK) throw fail("it ends too early");
  if (rest.length % BLOCK !== 0 || rest.length > MOST_PADDING || !isZero(rest)) {
    throw fail("something follows its end");
  }
}

function decode(bytes: Uint8Array, fail: Fail): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw fail("there is what is no text");
  }
}

const isZero = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);
const padding = (size: number) => (BLOCK - size % BLOCK) % BLOCK;
const sum = ([a, b]: readonly [number, number]) => a + b;
