/** The executable at a terminal, and in a pipe. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { agentEnv, executable, runAgent, testExecutable } from "../support/agent.ts";
import { type Haproxy, startHaproxy } from "../support/haproxy.ts";
import { atTerminal } from "../support/terminal.ts";
import { openMoreTools, runningMap } from "../support/tools.ts";

async function openSite(): Promise<Haproxy> {
  const haproxy = await startHaproxy({ pools: 3, slots: 3 });
  await using rig = await openMoreTools(haproxy);
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9 });
  await rig.call("add_domain", { domain: "b.test", ip: "10.0.0.2" });
  await rig.call("set_server_state", { domain: "b.test", slot: 1, state: "drain", force: true });
  return haproxy;
}

const COLOUR = /␛\[\d/;
const LIST = ["call", "haproxy_list_domains"];
const REMOVE = ["call", "haproxy_remove_domain", "--domain", "b.test"];
const lastCall = async ({ root }: Haproxy) =>
  JSON.parse(
    (await Deno.readTextFile(join(root, "data/audit.jsonl"))).trimEnd().split("\n").at(-1)!,
  );

Deno.test("a terminal gets a table in colour; a pipe the text that it has always got", async () => {
  await using haproxy = await openSite();
  const { code, text } = await atTerminal(haproxy, LIST);
  assert.equal(code, 0);
  assert.match(text, /DOMAIN +POOL +WILDCARD +SERVERS/);
  assert.match(text, /b\.test +pool_2 +no +pool_2_1=10\.0\.0\.2:80 ␛\[33mdrain/);
  const piped = await runAgent(haproxy, LIST);
  assert.equal(
    piped.stdout,
    "• a.test -> pool_1 (pool): pool_1_1=127.0.0.1:9\n• b.test -> pool_2 (pool): pool_2_1=10.0.0.2:80\n",
  );
  for (const name of ["list_domains", "list-domains", "haproxy-list-domains"]) {
    assert.equal((await runAgent(haproxy, ["call", name])).stdout, piped.stdout, name);
  }
  for (const [name, value] of [["NO_COLOR", "1"], ["TERM", "dumb"]]) {
    const plain = await atTerminal(haproxy, LIST, { env: { [name]: value } });
    assert.doesNotMatch(plain.text, COLOUR, name);
    assert.match(plain.text, /DOMAIN/);
  }
  const narrow = await atTerminal(haproxy, LIST, { columns: 30 });
  assert.match(narrow.text, /No room for .*servers/);
  const json = await atTerminal(haproxy, [...LIST, "--json"]);
  assert.equal(JSON.parse(json.text).count, 2);
});

Deno.test("at a terminal an error is red, and its hint has a line of its own", async () => {
  await using haproxy = await openSite();
  const args = ["call", "haproxy_list_servers", "--domain", "none.test"];
  const { code, text } = await atTerminal(haproxy, args);
  assert.equal(code, 1);
  assert.match(text, /^␛\[31mError:␛\[39m There is no domain none\.test\.\nHint: /);
  assert.match(
    (await runAgent(haproxy, args)).stderr,
    /^Error: There is no domain none\.test\. Hint: [^\n]*\n$/,
  );
});

Deno.test("at a terminal a person is asked, with what would change; only yes is a yes", async () => {
  await using haproxy = await openSite();
  for (const answer of ["n", "", "yes please"]) {
    const { code, text } = await atTerminal(haproxy, REMOVE, { answer });
    assert.equal(code, 1);
    assert.match(text, /- b\.test pool_2/);
    assert.match(text, /Remove a domain\? \[y\/N\]/);
    assert.match(text, /was declined\. Nothing was changed/);
    const { answer: recorded, code: kept } = await lastCall(haproxy);
    assert.deepEqual([recorded, kept], ["declined", "CANCELLED"]);
  }
  assert.match(await runningMap(haproxy), /^b\.test pool_2$/m);
  const { code, text } = await atTerminal(haproxy, REMOVE, { answer: "y" });
  assert.equal(code, 0, text);
  assert.match(text, /Removed b\.test/);
  assert.equal((await lastCall(haproxy)).answer, "accepted");
  assert.equal(await runningMap(haproxy), "a.test pool_1");
});

for (
  const [what, args, env] of [
    ["--confirm", ["--confirm"], {}],
    ["--json", ["--json"], {}],
    ["--dry-run", ["--dry-run"], {}],
    ["MCP_CONFIRM=off", [], { MCP_CONFIRM: "off" }],
  ] as const
) {
  Deno.test(`at a terminal nobody is asked with ${what}`, async () => {
    await using haproxy = await openSite();
    const { code, text } = await atTerminal(haproxy, [...REMOVE, ...args], { env });
    assert.equal(code, 0, text);
    assert.doesNotMatch(text, /\[y\/N\]/);
  });
}

Deno.test("nobody is asked in a pipe: it goes on, or needs --confirm where MCP_CONFIRM=require", async () => {
  await using haproxy = await openSite();
  const env = { MCP_CONFIRM: "require" };
  assert.match((await runAgent(haproxy, REMOVE, { env })).stderr, /has to be confirmed/);
  const { code, text } = await atTerminal(haproxy, REMOVE, { env, answer: "y" });
  assert.equal(code, 0, text);
  assert.equal(
    (await runAgent(haproxy, ["call", "haproxy_remove_domain", "--domain", "a.test"])).code,
    0,
  );
});

Deno.test("at a terminal progress is one line that is taken away; in a pipe there is none", async () => {
  await using haproxy = await openSite();
  const args = ["call", "test_echo", "--text", "halfway there", "--ms", "1"];
  const { text } = await atTerminal(haproxy, args, { program: testExecutable() });
  const shown = text.replaceAll("\r", "⏎");
  assert.equal(shown, `${"⏎␛[Khalfway there⏎".repeat(3)}␛[Khalfway there\n`);
  const { stderr } = await new Deno.Command(testExecutable(), {
    args,
    clearEnv: true,
    env: agentEnv(haproxy),
    stdin: "null",
  }).output();
  assert.equal(new TextDecoder().decode(stderr), "");
});

Deno.test("man is what docs/haproxy-mcp.1 is, and groff has nothing to say about it", async () => {
  const printed = await new Deno.Command(executable(), { args: ["man"], clearEnv: true }).output();
  const file = new URL("../../docs/haproxy-mcp.1", import.meta.url);
  assert.equal(new TextDecoder().decode(printed.stdout), await Deno.readTextFile(file));
  const groff = await new Deno.Command("groff", {
    args: ["-man", "-Tutf8", "-ww", "-z", file.pathname],
  }).output().catch(() => undefined);
  // Where this machine has none, the tests of its source have to do.
  if (groff) assert.equal(new TextDecoder().decode(groff.stderr), "");
});

Deno.test("a backup is written whole, 0600, replaces nothing but with --force, and can't go where no right reaches", async () => {
  await using haproxy = await openSite();
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    const archive = join(folder, "a.tar");
    const made = await runAgent(haproxy, ["backup", archive]);
    assert.deepEqual([made.code, made.stderr], [0, ""]);
    assert.match(
      made.stdout,
      /^Wrote \S+: 5 files, \d+ bytes, as of 20\S+Z\.\nWithout private keys/,
    );
    assert.equal((await Deno.stat(archive)).mode! & 0o777, 0o600);
    const first = await Deno.readFile(archive);
    const again = await runAgent(haproxy, ["backup", archive, "--with-secrets"]);
    assert.deepEqual([again.code, /exists\. Hint: .*--force/.test(again.stderr)], [1, true]);
    assert.deepEqual(await Deno.readFile(archive), first);
    const forced = await runAgent(haproxy, [
      "backup",
      archive,
      "--with-secrets",
      "--force",
      "--json",
    ]);
    assert.equal(JSON.parse(forced.stdout).secrets, true);
    assert.deepEqual((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name), [
      "a.tar",
    ]);
    const denied = await runAgent(haproxy, ["backup", "/etc/a.tar"]);
    assert.deepEqual(
      [denied.code, /no right to that place/.test(denied.stderr)],
      [1, true],
      denied.stderr,
    );
    const screen = await atTerminal(haproxy, ["backup", "-"]);
    assert.deepEqual([screen.code, /stdout is a terminal/.test(screen.text)], [2, true]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("- is stdout for a backup, and stdin for a restore", async () => {
  await using haproxy = await openSite();
  const shell = (command: string) =>
    new Deno.Command("sh", {
      args: ["-c", command],
      clearEnv: true,
      env: { ...agentEnv(haproxy), HM: executable() },
      stdin: "null",
    }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const listed = await shell(`"$HM" backup - 2>/dev/null | tar -t`);
  assert.match(text(listed.stdout), /^manifest\.json\nconf\/domains\.map\n/);
  const restored = await shell(`"$HM" backup - 2>/dev/null | "$HM" restore -`);
  assert.match(text(restored.stdout), /^Nothing to restore: the files are those of stdin/);
});

Deno.test("at a terminal a restore shows what would change and asks; in a pipe it does not", async () => {
  await using haproxy = await openSite();
  const archive = join(haproxy.root, "a.tar");
  await runAgent(haproxy, ["backup", archive]);
  await runAgent(haproxy, REMOVE);
  const no = await atTerminal(haproxy, ["restore", archive], { answer: "n" });
  assert.deepEqual([no.code, /\+ b\.test pool_2/.test(no.text)], [1, true], no.text);
  assert.equal(await runningMap(haproxy), "a.test pool_1");
  const yes = await atTerminal(haproxy, ["restore", archive], { answer: "y" });
  assert.equal(yes.code, 0, yes.text);
  assert.match(yes.text, /Restored 3 files/);
  assert.match(await runningMap(haproxy), /^b\.test pool_2$/m);
  assert.equal((await lastCall(haproxy)).answer, "accepted");
  await runAgent(haproxy, REMOVE);
  const piped = await runAgent(haproxy, ["restore", archive, "--json"]);
  assert.equal(piped.code, 0, piped.stderr);
  assert.match(JSON.parse(piped.stdout).haproxy.changed, /1 domain/);
});
