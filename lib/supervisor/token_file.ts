/** The token file: `MCP_TOKEN=…` and `MCP_READONLY_TOKEN=…`, read by main alone. Only digests leave it. */
import { dirname } from "node:path";
import { writeAll } from "../bytes.ts";
import { SettingsError } from "../config.ts";
import { readSmallFile } from "../config/small_file.ts";
import { log } from "../log.ts";
import type { Tokens } from "../front/room.ts";

const RE_READ_MS = 1_000;
/** RFC 6750, 2.1: what a bearer token may consist of. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

export interface TokenTexts {
  readonly full: readonly string[];
  readonly read: readonly string[];
}

/** One that can be used, and whose it is. */
export type TokenFileSeen = { readonly uid: number } | "missing";

export type ParsedTokens =
  | { readonly ok: true; readonly tokens: TokenTexts }
  | { readonly ok: false; readonly problem: string };

/** Each variable is one token or several with commas between, for rotation. The problem names a line, never its content. */
export function parseTokens(text: string): ParsedTokens {
  const tokens = { MCP_TOKEN: [] as string[], MCP_READONLY_TOKEN: [] as string[] };
  for (const [index, line] of text.split("\n").map((line) => line.trim()).entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const [, name, value] = /^(MCP_TOKEN|MCP_READONLY_TOKEN)=(.*)$/.exec(line) ?? [];
    if (name === undefined) {
      return { ok: false, problem: `line ${index + 1} sets neither of the two` };
    }
    const items = value.split(",").map((item) => item.trim()).filter(Boolean);
    if (!items.every((item) => TOKEN.test(item))) {
      return { ok: false, problem: `line ${index + 1} holds a character that no token has` };
    }
    tokens[name as keyof typeof tokens].push(...items);
  }
  const { MCP_TOKEN: full, MCP_READONLY_TOKEN: read } = tokens;
  if (full.length === 0) return { ok: false, problem: "no MCP_TOKEN is set" };
  return { ok: true, tokens: { full, read } };
}

export interface TokenFile {
  /** The digests that the front compares with. */
  readonly tokens: Tokens;
  /**
   * Calls `onTokens` when the file has changed since it was read. One that became unusable leaves the tokens as they were
   * and is logged: a slip of an editor must not lock everybody out.
   *
   * @returns ends the watch
   */
  watch(onTokens: (tokens: Tokens) => void): () => void;
}

/** Makes the file with a random token if it is missing. Throws SettingsError. */
export async function openTokenFile(path: string): Promise<TokenFile> {
  try {
    if (signature(path) === "missing") await makeTokenFile(path);
    // Before it is read: what is changed from here on is seen by the watch, however much later that begins.
    const read = signature(path);
    return { tokens: await readTokens(path), watch: (onTokens) => watch(path, read, onTokens) };
  } catch (cause) {
    throw readable(path, cause);
  }
}

/** What the start would meet: makes nothing, keeps nothing. Throws SettingsError for a file that can't be used. */
export async function lookAtTokenFile(path: string): Promise<TokenFileSeen> {
  try {
    await readTokens(path);
    const { uid } = await Deno.stat(path);
    return { uid: uid ?? 0 };
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return "missing";
    throw readable(path, cause);
  }
}

function watch(path: string, read: string, onTokens: (tokens: Tokens) => void): () => void {
  let seen = read;
  const timer = setInterval(async () => {
    const now = signature(path);
    if (now === seen) return;
    seen = now;
    try {
      onTokens(await readTokens(path));
      log.info(`The tokens were read again from ${path}.`);
    } catch (cause) {
      log.error(`The tokens stay as they were: ${readable(path, cause).message}`);
    }
  }, RE_READ_MS);
  return () => clearInterval(timer);
}

async function readTokens(path: string): Promise<Tokens> {
  const { text, mode } = readSmallFile(path);
  if (mode & 0o177) {
    throw new SettingsError(
      "MCP_TOKEN_FILE",
      path,
      `a file that only its owner can read is (chmod 600; it has ${(mode & 0o777).toString(8)})`,
    );
  }
  const parsed = parseTokens(text);
  if (!parsed.ok) {
    const lines = "a file of MCP_TOKEN= and MCP_READONLY_TOKEN= lines";
    throw new SettingsError("MCP_TOKEN_FILE", path, `${lines} is (${parsed.problem})`);
  }
  const { full, read } = parsed.tokens;
  return {
    full: await Promise.all(full.map(digest)),
    read: await Promise.all(read.map(digest)),
  };
}

async function digest(token: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
}

/** Linked into place when it is whole, so that two first starts at once agree on one token. */
async function makeTokenFile(path: string): Promise<void> {
  const token = crypto.getRandomValues(new Uint8Array(32)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
  await Deno.mkdir(dirname(path), { recursive: true, mode: 0o750 });
  const temp = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    using file = await Deno.open(temp, { write: true, createNew: true, mode: 0o600 });
    const text =
      `# Bearer tokens of haproxy-mcp, read again when this file changes.\nMCP_TOKEN=${token}\n`;
    await writeAll(file, new TextEncoder().encode(text));
    await file.sync();
    await Deno.link(temp, path).catch((cause) => {
      if (!(cause instanceof Deno.errors.AlreadyExists)) throw cause;
    });
  } finally {
    await Deno.remove(temp).catch(() => {});
  }
  log.info(`A token was made: it is in ${path}.`);
}

function readable(path: string, cause: unknown): SettingsError {
  if (cause instanceof SettingsError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new SettingsError(
    "MCP_TOKEN_FILE",
    path,
    `a file that this user can read is (${message})`,
  );
}

/** Changes with the content, the mode and the file itself. */
function signature(path: string): string {
  try {
    const { ino, size, mtime, mode } = Deno.statSync(path);
    return `${ino}:${size}:${mtime?.getTime()}:${mode}`;
  } catch {
    return "missing";
  }
}
