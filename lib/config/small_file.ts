/** Reads a file that a person has written, and nothing that is no such file: a pipe would hold whoever opens it for ever. */

const LARGEST = 65_536;

export interface SmallFile {
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
}

/** Throws Deno's errors, and an Error that says what is there in the place of a file of 64 KiB at most. */
export function readSmallFile(path: string): SmallFile {
  // Before it is opened: that is what blocks.
  assertSmall(Deno.statSync(path));
  using file = Deno.openSync(path);
  const info = file.statSync();
  assertSmall(info);
  const bytes = new Uint8Array(info.size);
  const read = file.readSync(bytes) ?? 0;
  const text = new TextDecoder().decode(bytes.subarray(0, read));
  return { text, mode: (info.mode ?? 0) & 0o7777, uid: info.uid ?? 0 };
}

function assertSmall({ isFile, size }: Deno.FileInfo): void {
  if (!isFile) throw new Error("it is not a file");
  if (size > LARGEST) throw new Error(`it is larger than ${LARGEST} bytes`);
}
