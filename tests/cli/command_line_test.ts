/** The command line as a user meets it: output, messages, exit codes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import project from "../../deno.json" with { type: "json" };
import { startHaproxy } from "../support/haproxy.ts";
import { agentCommand, makeRoot, runAgent, startAgent } from "../support/rooms/agent.ts";

interface Root extends AsyncDisposable {
  readonly path: string;
}

async function temporaryRoot(): Promise<Root> {
  const path = await makeRoot();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("--version says the project's version, what it was made of, and Deno's version", async () => {
  for (const flag of ["--version", "-V"]) {
    const { code, stdout, stderr } = await runAgent([flag]);
    assert.deepEqual([code, stderr], [0, ""]);
    const [, version, made] =
      /^haproxy-mcp (\S+) \((not compiled|commit [0-9a-f]{12}(?:-dirty)?), Deno \d+\.\d+\.\d+\)\n$/
        .exec(stdout) ?? [];
    assert.equal(version, project.version, stdout);
    assert.equal(made === "not compiled", !Deno.env.get("HAPROXY_MCP_TEST"));
  }
});

const COMMANDS = ["serve", "stdio", "call", "tools", "doctor", "init", "backup", "restore"]
  .concat("completions", "man", "licences");
for (const command of [[], ...COMMANDS.map((name) => [name])]) {
  Deno.test(`${[...command, "--help"].join(" ")} shows one example`, async () => {
    const { code, stdout, stderr } = await runAgent([...command, "--help"]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(stdout.match(/^Example: haproxy-mcp |^Example: claude mcp add /gm)?.length, 1);
  });
}

Deno.test("a reader of the output that has enough is no fault", async () => {
  for (const args of [["--help"], ["call", "--help"], ["man"], ["tools", "--json"]]) {
    const piped = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
    await using child = agentCommand(args, {}, piped).spawn();
    await child.stdout.cancel();
    const { code } = await child.status;
    assert.deepEqual([args, code, await child.stderr.text()], [args, 0, ""]);
  }
});

for (
  const [args, message] of [
    [["serv"], /unknown command 'serv'/],
    [["serve", "--prot", "1"], /unknown option '--prot'/],
    [["serve", "now"], /too many arguments/],
    [["serve", "--root", ""], /--root <dir>.*empty/],
    [["licences", "all"], /too many arguments/],
    [["call"], /Which tool\?/],
    [["backup"], /missing required argument 'file'/],
    [["backup", "-", "--json"], /stdout is the archive/],
    [["restore"], /missing required argument 'file'/],
    [["restore", "a", "b"], /too many arguments/],
    [["completions"], /missing required argument 'shell'/],
    [["completions", "csh"], /Allowed choices are bash, zsh, fish/],
  ] as const
) {
  Deno.test(`${JSON.stringify(args)}: exit 2`, async () => {
    const { code, stderr, stdout } = await runAgent(args);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, message);
  });
}

for (
  const [args, env, message] of [
    [["serve"], { HAPROXY_ROOT: "relative" }, /^haproxy-mcp: HAPROXY_ROOT="relative"/],
    [["serve", "--root", "/nowhere-at-all"], {}, /^haproxy-mcp: HAPROXY_ROOT="\/nowhere-at-all"/],
    [["serve", "--port", "80x"], {}, /^haproxy-mcp: MCP_PORT="80x"/],
    [["call", "haproxy_list_domains"], { LOG_LEVEL: "LOUD" }, /^haproxy-mcp: LOG_LEVEL="LOUD"/],
    [["stdio"], { HAPROXY_MAP_FILE: "/etc/passwd" }, /^haproxy-mcp: HAPROXY_MAP_FILE=/],
  ] as const
) {
  Deno.test(`${args.join(" ")} ${JSON.stringify(env)}: exit 4, one line`, async () => {
    const { code, stderr, stdout } = await runAgent(args, env);
    assert.deepEqual([code, stdout], [4, ""]);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1);
  });
}

Deno.test("a flag wins over the environment", async () => {
  await using root = await temporaryRoot();
  const env = { HAPROXY_ROOT: "/nowhere-at-all", HAPROXY_PORT: "1" };
  const args = ["call", "test_read", "--ms", "0", "--root", root.path];
  assert.equal((await runAgent(args, env)).code, 0);
});

Deno.test("tools lists every tool; --json with its schemas", async () => {
  const table = (await runAgent(["tools"])).stdout;
  const definitions = JSON.parse((await runAgent(["tools", "--json"])).stdout);
  assert.ok(definitions.length >= 11);
  for (const { name, inputSchema } of definitions) {
    assert.equal(inputSchema.type, "object");
    assert.match(table, new RegExp(`^ {2}${name} `, "m"));
  }
});

Deno.test("call: an unknown tool is exit 2, an unknown parameter too, with the list", async () => {
  await using root = await temporaryRoot();
  const env = { HAPROXY_ROOT: root.path };
  const tool = await runAgent(["call", "haproxy_nothing"], env);
  assert.equal(tool.code, 2);
  assert.match(tool.stderr, /no tool "haproxy_nothing"/);
  const parameter = await runAgent(["call", "haproxy_list_domains", "--all"], env);
  assert.equal(parameter.code, 2);
  assert.match(parameter.stderr, /no parameter --all\. It takes --include-wildcards/);
});

Deno.test("call TOOL --help shows its parameters, and needs no root", async () => {
  const { code, stdout } = await runAgent(["call", "haproxy_add_domain", "--help"], {
    HAPROXY_ROOT: "/nowhere-at-all",
  });
  assert.equal(code, 0);
  assert.match(stdout, /--domain <string>.*\(required\)/);
});

Deno.test("call: a refused argument is exit 1 on stderr, with --json on stdout", async () => {
  await using root = await temporaryRoot();
  const env = { HAPROXY_ROOT: root.path, HAPROXY_PORT: "1" };
  const args = ["call", "haproxy_add_domain", "--domain", "a;b"];
  const said = await runAgent(args, env);
  assert.deepEqual([said.code, said.stdout], [1, ""]);
  assert.match(said.stderr, /^Error: .* Hint: /);
  const json = await runAgent([...args, "--json"], env);
  assert.equal(json.code, 1);
  assert.equal(JSON.parse(json.stdout).error.code, "VALIDATION");
});

Deno.test("call: HAProxy out of reach is exit 3", async () => {
  await using root = await temporaryRoot();
  const args = ["call", "haproxy_add_domain", "--domain", "a.example", "--haproxy-port", "1"];
  const { code, stderr } = await runAgent([...args, "--root", root.path]);
  assert.equal(code, 3);
  assert.match(stderr, /localhost:1/);
  assert.equal(await Deno.readTextFile(join(root.path, "conf/domains.map")), "");
});

Deno.test("call: a corrupt file is exit 4, and stays as it is", async () => {
  await using root = await temporaryRoot();
  const file = join(root.path, "conf/servers.json");
  await Deno.writeTextFile(file, "{\n  pool_1: {}\n}\n");
  const { code, stderr } = await runAgent(["call", "haproxy_list_domains", "--root", root.path]);
  assert.equal(code, 4);
  assert.match(stderr, /servers\.json, line 2/);
  assert.equal(await Deno.readTextFile(file), "{\n  pool_1: {}\n}\n");
});

for (
  const [args, code, message] of [
    [["backup", "/nowhere-at-all/a.tar"], 1, /no such folder/],
    [["backup", "/tmp"], 1, /\/tmp exists\. Hint: .*--force/],
    [["restore", "/nowhere-at-all/a.tar"], 1, /There is no \/nowhere-at-all\/a\.tar/],
    [["restore", "/tmp"], 1, /it is not a file/],
    [["restore", "/etc/hostname"], 4, /is no whole backup/],
  ] as const
) {
  Deno.test(`${args.join(" ")}: exit ${code}, with --json too`, async () => {
    await using root = await temporaryRoot();
    const env = { HAPROXY_ROOT: root.path, HAPROXY_PORT: "1" };
    const said = await runAgent(args, env);
    assert.deepEqual([said.code, said.stdout], [code, ""]);
    assert.match(said.stderr, message);
    const json = await runAgent([...args, "--json"], env);
    assert.equal(json.code, code);
    assert.ok(JSON.parse(json.stdout).error.code);
  });
}

Deno.test("complete is silent whatever fails", async () => {
  for (const words of [["call", "add_server", "--domain", ""], ["nothing"], []]) {
    const { code, stderr } = await runAgent(["complete", "--", ...words], {
      HAPROXY_ROOT: "/nowhere-at-all",
    });
    assert.deepEqual([code, stderr], [0, ""], words.join(" "));
  }
});

Deno.test("call: MCP_READ_ONLY refuses a tool that changes something", async () => {
  await using root = await temporaryRoot();
  const env = { HAPROXY_ROOT: root.path, HAPROXY_PORT: "1", MCP_READ_ONLY: "true" };
  const { code, stderr } = await runAgent(["call", "test_tattle"], env);
  assert.equal(code, 1);
  assert.match(stderr, /MCP_READ_ONLY/);
});

for (const tool of ["test_spin", "test_exit", "test_throw"]) {
  Deno.test(`call ${tool}: the room's loss ends the call`, async () => {
    await using root = await temporaryRoot();
    const { code, stderr } = await runAgent(["call", tool, "--root", root.path]);
    assert.equal(code, 1);
    assert.match(stderr, /Error: The tools room is lost: .* Hint: Read the current state/);
  });
}

Deno.test("call works on a real HAProxy, without a running serve and beside one", async () => {
  await using haproxy = await startHaproxy({ pools: 3, slots: 2 });
  const { root, options } = haproxy;
  const env = {
    HAPROXY_ROOT: root,
    HAPROXY_PORT: String(options.api.port),
    HAPROXY_POOL_COUNT: "3",
    HAPROXY_MAX_SLOTS: "2",
  };
  const add = (domain: string) =>
    runAgent(["call", "haproxy_add_domain", "--domain", domain, "--ip", "127.0.0.1"], env);
  const alone = await add("alone.example");
  assert.equal(alone.code, 0, alone.stderr);
  await using agent = await startAgent({ root, env });
  const beside = await add("beside.example");
  assert.equal(beside.code, 0, beside.stderr);
  const listed = await runAgent(["call", "haproxy_list_domains", "--json"], env);
  const domains = (text: unknown) =>
    (text as { domains: { domain: string }[] }).domains.map(({ domain }) => domain);
  assert.deepEqual(domains(JSON.parse(listed.stdout)), ["alone.example", "beside.example"]);
  const { structured } = await agent.call("haproxy_list_domains");
  assert.deepEqual(domains(structured), ["alone.example", "beside.example"]);
  assert.match(await haproxy.runtime("show map"), /domains\.map/);
  const audit = await Deno.readTextFile(join(root, "data/audit.jsonl"));
  assert.match(audit, /"transport":"shell","who":"uid \d+"/);
});
