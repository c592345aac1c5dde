/** Completion in real shells: what is typed, the tab key, and what stands in the line then. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { agentEnv, executable } from "../support/agent.ts";
import { startHaproxy } from "../support/haproxy.ts";

type Environment = Readonly<Record<string, string>>;

/** A folder with the executable in it by its name, `a.tar` and a folder `root`; and HAProxy with a domain and its wildcard. */
async function openSite() {
  await using opened = new AsyncDisposableStack();
  const domains = "shop.example.com pool_1\n.shop.example.com pool_1\nblog.example.com pool_2\n";
  const haproxy = opened.use(await startHaproxy({ pools: 2, slots: 1, domains }));
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  opened.defer(() => Deno.remove(folder, { recursive: true }));
  await Deno.symlink(executable(), join(folder, "haproxy-mcp"));
  await Deno.mkdir(join(folder, "root"));
  await Deno.writeTextFile(join(folder, "a.tar"), "");
  const PATH = `${folder}:${Deno.env.get("PATH")}`;
  const env = { ...agentEnv(haproxy), PATH, HOME: folder, SHELL: "/bin/sh" };
  const all = opened.move();
  return { folder, env, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function run(
  args: readonly string[],
  cwd: string,
  env: Environment,
  typed = "",
): Promise<string> {
  const child = new Deno.Command(args[0], {
    args: args.slice(1),
    cwd,
    clearEnv: true,
    env,
    stdin: "piped",
    stdout: "piped",
    signal: AbortSignal.timeout(60_000),
  }).spawn();
  const keyboard = child.stdin.getWriter();
  await keyboard.write(new TextEncoder().encode(typed));
  const { stdout } = await child.output();
  await keyboard.close().catch(() => {});
  return new TextDecoder().decode(stdout).replaceAll("\r", "");
}

const script = (shell: string, { folder, env }: { folder: string; env: Environment }) =>
  run(["haproxy-mcp", "completions", shell], folder, env);

/** Typed, and the words that stand in the line after the tab key. */
const LINES = [
  ["haproxy-mcp bac", ["backup"]],
  ["haproxy-mcp call haproxy_add_dom", ["call", "haproxy_add_domain"]],
  ["haproxy-mcp call wait_", ["call", "wait_drain"]],
  ["haproxy-mcp call haproxy_add_server --weig", ["call", "haproxy_add_server", "--weight"]],
  ["haproxy-mcp call set_server_state --state dr", [
    "call",
    "set_server_state",
    "--state",
    "drain",
  ]],
  ["haproxy-mcp call set_server_state --state=dr", ["call", "set_server_state", "--state=drain"]],
  ["haproxy-mcp call list_servers --domain bl", [
    "call",
    "list_servers",
    "--domain",
    "blog.example.com",
  ]],
  ["haproxy-mcp call list_servers --domain=bl", [
    "call",
    "list_servers",
    "--domain=blog.example.com",
  ]],
  ["haproxy-mcp call list_servers --domain \\*", [
    "call",
    "list_servers",
    "--domain",
    "*.shop.example.com",
  ]],
  ["haproxy-mcp call add_server --ip 2001:db8::1 --weig", [
    "call",
    "add_server",
    "--ip",
    "2001:db8::1",
    "--weight",
  ]],
  ["haproxy-mcp restore a.", ["restore", "a.tar"]],
  ["haproxy-mcp serve --root ro", ["serve", "--root", "root"]],
  ["haproxy-mcp completions z", ["completions", "zsh"]],
] as const;

/** Each line is completed, printed word by word, and the next one begun: an editor reads on when it is ready. */
async function typedIn(
  shell: string,
  { folder, env }: { readonly folder: string; readonly env: Environment },
): Promise<string[][]> {
  const CTRL_A = "\x01";
  const typed = LINES.map(([line]) => `${line}\t${CTRL_A}printf '<%s>' : \n`).join("");
  const args = ["script", "-qefc", shell, "/dev/null"];
  const shown = await run(args, folder, { ...env, TERM: "dumb" }, `${typed}exit\n`);
  return Array.from(
    shown.matchAll(/<:><haproxy-mcp>((?:<[^<>]*>)+)/g),
    ([, words]) => words.slice(1, -1).split("><").map((word) => word.replace(/\/$/, "")),
  );
}

Deno.test("bash completes commands, tools, parameters, values, domains and files", async () => {
  await using site = await openSite();
  await Deno.writeTextFile(join(site.folder, "rc"), await script("bash", site));
  const lines = await typedIn("bash --noprofile --rcfile rc -i", site);
  assert.deepEqual(lines, LINES.map(([, words]) => words));
});

Deno.test("zsh completes the same, from a folder of fpath", async () => {
  await using site = await openSite();
  const zsh = programOf("TEST_ZSH");
  const root = join(dirname(zsh), "../root/usr");
  await Deno.mkdir(join(site.folder, "functions"));
  await Deno.writeTextFile(join(site.folder, "functions/_haproxy-mcp"), await script("zsh", site));
  await Deno.writeTextFile(
    join(site.folder, ".zshrc"),
    `module_path=(${root}/lib/*/zsh/*(/))\n` +
      `fpath=(${site.folder}/functions ${root}/share/zsh/functions/**/*(/) ${root}/share/zsh/functions)\n` +
      "autoload -U compinit\ncompinit -u -D\n",
  );
  const env = { ...site.env, ZDOTDIR: site.folder };
  const lines = await typedIn(`${zsh} -d -i`, { ...site, env });
  assert.deepEqual(lines, LINES.map(([, words]) => words));
});

Deno.test("fish offers the same, each with what it is about", async () => {
  await using site = await openSite();
  const fish = programOf("TEST_FISH");
  const functions = join(dirname(fish), "../root/usr/share/fish/functions");
  await Deno.writeTextFile(join(site.folder, "haproxy-mcp.fish"), await script("fish", site));
  // What begins with a star it completes only where nothing is typed yet.
  for (const [line, words] of LINES.filter(([line]) => !line.includes("*"))) {
    const command =
      `set fish_function_path ${functions}; source haproxy-mcp.fish; complete -C $argv[1]`;
    const args = [fish, "--no-config", "-c", command, "--", line];
    const offered = (await run(args, site.folder, site.env)).trimEnd().split("\n")
      .map((each) => each.split("\t")[0].replace(/\/$/, ""));
    assert.deepEqual(offered, [words[words.length - 1]], line);
  }
  const about = await run(
    [fish, "--no-config", "-c", "source haproxy-mcp.fish; complete -C 'haproxy-mcp call add_dom'"],
    site.folder,
    site.env,
  );
  assert.equal(about, "add_domain\tAdd a domain\n");
});

/** Without it a test fails and is not skipped. */
function programOf(variable: string): string {
  const path = Deno.env.get(variable);
  if (!path) throw new Error(`${variable} is not set: scripts/setup.sh --tests brings the shell`);
  return path;
}
