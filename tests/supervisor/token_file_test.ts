import assert from "node:assert/strict";
import { join } from "node:path";
import { openTokenFile, parseTokens } from "../../lib/supervisor/token_file.ts";
import type { Tokens } from "../../lib/front/room.ts";
import { makePipe } from "../support/pipe.ts";

interface Folder extends AsyncDisposable {
  readonly path: string;
}

async function folder(): Promise<Folder> {
  const path = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function digestOf(token: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
}

Deno.test("parseTokens: lists with commas, comments, blank lines, CRLF", () => {
  const text = "# who: ops\r\n\r\nMCP_TOKEN=old, new\r\nMCP_READONLY_TOKEN=r.e-a_d~1+/==\r\n";
  assert.deepEqual(parseTokens(text), {
    ok: true,
    tokens: { full: ["old", "new"], read: ["r.e-a_d~1+/=="] },
  });
});

for (
  const [text, problem] of [
    ["", /no MCP_TOKEN is set/],
    ["MCP_TOKEN=\n", /no MCP_TOKEN is set/],
    ["MCP_READONLY_TOKEN=abc\n", /no MCP_TOKEN is set/],
    ["# a\nTOKEN=secret\n", /line 2 sets neither/],
    ['MCP_TOKEN="secret"\n', /line 1 holds a character/],
    ["MCP_TOKEN=sec ret\n", /line 1 holds a character/],
  ] as const
) {
  Deno.test(`parseTokens refuses ${JSON.stringify(text)} without showing it`, () => {
    const parsed = parseTokens(text);
    assert.ok(!parsed.ok);
    assert.match(parsed.problem, problem);
    assert.doesNotMatch(parsed.problem, /secret/);
  });
}

Deno.test("openTokenFile makes a missing file: 0600, 32 random bytes, one token for two at once", async () => {
  await using temp = await folder();
  const path = join(temp.path, "conf/mcp-token.env");
  const both = await Promise.all([openTokenFile(path), openTokenFile(path)]);
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  const token = /^MCP_TOKEN=(\S{43})$/m.exec(await Deno.readTextFile(path))?.[1];
  assert.ok(token);
  for (const { tokens } of [...both, await openTokenFile(path)]) {
    assert.deepEqual(tokens.full, [await digestOf(token)]);
  }
  const names = await Array.fromAsync(Deno.readDir(join(temp.path, "conf")), ({ name }) => name);
  assert.deepEqual(names, ["mcp-token.env"]);
});

Deno.test("openTokenFile refuses a file that others can read", async () => {
  await using temp = await folder();
  const path = join(temp.path, "tokens");
  await Deno.writeTextFile(path, "MCP_TOKEN=secret\n");
  for (const mode of [0o644, 0o640, 0o620, 0o604, 0o700]) {
    await Deno.chmod(path, mode);
    await assert.rejects(openTokenFile(path), {
      name: "SettingsError",
      message: /^MCP_TOKEN_FILE=".*tokens" is not usable: .*chmod 600/,
    });
  }
  for (const mode of [0o600, 0o400]) {
    await Deno.chmod(path, mode);
    assert.deepEqual((await openTokenFile(path)).tokens.full, [await digestOf("secret")]);
  }
});

Deno.test("openTokenFile opens no pipe, which would hold the start for ever, and reads nothing that is large", async () => {
  await using temp = await folder();
  const pipe = join(temp.path, "pipe");
  await using _writer = await makePipe(pipe, "MCP_TOKEN=secret\n");
  await assert.rejects(openTokenFile(pipe), /is not usable: .*it is not a file/);
  const large = join(temp.path, "large");
  await Deno.writeTextFile(large, `MCP_TOKEN=secret\n${"#".repeat(65_536)}`, { mode: 0o600 });
  await assert.rejects(openTokenFile(large), /is not usable: .*it is larger than 65536 bytes/);
});

Deno.test("watch: a new token is told, an unusable file leaves the old ones", async () => {
  await using temp = await folder();
  const path = join(temp.path, "tokens");
  await Deno.writeTextFile(path, "MCP_TOKEN=first\n", { mode: 0o600 });
  const told: Tokens[] = [];
  const end = (await openTokenFile(path)).watch((tokens) => told.push(tokens));
  const nextRead = () => new Promise((resolve) => setTimeout(resolve, 1_300));
  try {
    await Deno.writeTextFile(path, "MCP_TOKEN=first,second\n");
    await nextRead();
    assert.deepEqual(told.map(({ full }) => full.length), [2]);
    await Deno.remove(path);
    await nextRead();
    await Deno.writeTextFile(path, "MCP_TOKEN=third\n", { mode: 0o644 });
    await nextRead();
    assert.equal(told.length, 1);
    await Deno.chmod(path, 0o600);
    await nextRead();
    assert.deepEqual(told[1].full, [await digestOf("third")]);
  } finally {
    end();
  }
});

Deno.test("watch: what was changed after the file was read, and before the watch began, is told, too", async () => {
  await using temp = await folder();
  const path = join(temp.path, "tokens");
  await Deno.writeTextFile(path, "MCP_TOKEN=first\n", { mode: 0o600 });
  const { watch } = await openTokenFile(path);
  await Deno.writeTextFile(path, "MCP_TOKEN=second\n");
  const { promise, resolve } = Promise.withResolvers<Tokens>();
  const end = watch(resolve);
  try {
    assert.deepEqual((await promise).full, [await digestOf("second")]);
  } finally {
    end();
  }
});
