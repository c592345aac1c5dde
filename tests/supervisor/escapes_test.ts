/** Every way out that a room could try, from inside the running agent. What is not named here is denied by Deno. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FULL, record } from "../support/evidence/record.ts";
import { freePort } from "../support/ports.ts";
import { type Agent, type Build, BUILDS, makeRoot, startAgent } from "../support/rooms/agent.ts";
import { allKinds, type ProbeTarget } from "../support/rooms/probe.ts";

/** Valid as a module and as a worker that says so, so that an import of it could succeed. */
const UNTOUCHED = `if (globalThis.name === "probe") postMessage("up"); export {};`;

/** What every room may do in the process that it runs in. What of it matters stands in SECURITY.md. */
const EVERYWHERE = [
  "working folder",
  "program's path",
  "set the process's title",
  // main ends the process by a code of its own.
  "another exit code",
  // main hears the signal all the same.
  "listen to a signal",
  // The rooms are connected anyway.
  "BroadcastChannel",
  "GPU",
  "stdin",
  "stdin's raw mode",
  "stdin by node:fs",
  "stdout",
  "stdout by console",
  "stdout by node:fs",
  "stdout by node:process",
  "stderr",
];

/** Deno's own gaps, by the Deno that runs the rooms; those that matter stand in SECURITY.md. */
const GAPS: Readonly<Record<string, readonly string[]>> = {
  "2.6": [
    // The module loader of a compiled executable asks for no read permission.
    "import a file",
    "run a file as a worker",
    "import JSON",
    // Of the tools room.
    "unix socket in root",
    "umask",
    "set the umask",
    "node:process umask",
    "node:process sets the umask",
    "any variable by the inner API",
    "inner operation that takes a socket by its number",
  ],
  "2.9": ["kill itself"],
};

interface Trial extends AsyncDisposable {
  readonly target: ProbeTarget;
  readonly outsideFolder: string;
  /** Connections and datagrams that came to nobody's port. */
  readonly visits: () => number;
}

/** A root, a link in it that leads out, a Runtime API's port and others, and somebody's files. */
async function prepare(): Promise<Trial> {
  const root = await makeRoot();
  const outsideFolder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  const outside = join(outsideFolder, "secret");
  await Deno.writeTextFile(outside, UNTOUCHED);
  await Deno.writeTextFile(`${outside}.json`, "{}");
  await Deno.writeTextFile(`${outside}.cjs`, "");
  let visits = 0;
  const api = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const nobody = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const { port: nobodysPort } = nobody.addr as Deno.NetAddr;
  const datagrams = createSocket("udp4", () => visits += 1);
  await new Promise<void>((resolve) => datagrams.bind(nobodysPort, "0.0.0.0", resolve));
  const other = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    return new Response("somebody's");
  });
  void (async () => {
    for await (const connection of api) connection.close();
  })();
  void (async () => {
    for await (const connection of nobody) {
      visits += 1;
      connection.close();
    }
  })();
  const target = {
    root,
    apiPort: (api.addr as Deno.NetAddr).port,
    otherPort: other.addr.port,
    nobodysPort,
    outside,
    link: join(root, "conf/leads-out"),
    pid: Deno.pid,
  };
  return {
    target,
    outsideFolder,
    visits: () => visits,
    async [Symbol.asyncDispose]() {
      api.close();
      nobody.close();
      datagrams.close();
      await other.shutdown();
      await Deno.remove(root, { recursive: true });
      await Deno.remove(outsideFolder, { recursive: true });
    },
  };
}

/** Nothing went out, whatever the attempts themselves say of it. */
async function assertUntouched({ target, outsideFolder, visits }: Trial, before: Ambience) {
  const { root, outside } = target;
  assert.equal(await Deno.readTextFile(outside), UNTOUCHED);
  const names = await Array.fromAsync(Deno.readDir(outsideFolder), ({ name }) => name);
  assert.deepEqual(names.sort(), ["secret", "secret.cjs", "secret.json"]);
  for (const path of [`${root}-probe`, `${root}-probe.sock`]) {
    await assert.rejects(Deno.lstat(path), Deno.errors.NotFound, path);
  }
  for (const name of ["probe-symlink", "probe-link", "probe-within", "probe.copy", "probe.moved"]) {
    await assert.rejects(Deno.lstat(join(root, "data", name)), Deno.errors.NotFound, name);
  }
  assert.equal(visits(), 0, "somebody came to nobody's port");
  assert.deepEqual(await ambienceOf(before.pid), before);
}

/** What a process is in: its users, its umask, its working folder. Deno lets only `cat` and its like read /proc. */
interface Ambience {
  readonly pid: number;
  readonly text: string;
}

async function ambienceOf(pid: number): Promise<Ambience> {
  const look = `grep -E '^([UG]id|Umask):' /proc/${pid}/status && readlink /proc/${pid}/cwd`;
  const { success, stdout } = await new Deno.Command("sh", { args: ["-c", look] }).output();
  assert.ok(success);
  return { pid, text: new TextDecoder().decode(stdout) };
}

interface Room {
  readonly name: string;
  readonly tool: string;
  readonly reaches: string;
  /** What it is there for. */
  readonly needs: readonly string[];
  readonly env: (target: ProbeTarget) => Record<string, string>;
}

const ROOMS: readonly Room[] = [
  {
    name: "tools",
    tool: "test_probe",
    reaches: "its root and the Runtime API",
    needs: [
      "read root",
      "write root",
      // Deno follows it, the path guard does not.
      "read through a link",
      "Runtime API by address",
      "Runtime API by name",
    ],
    env: ({ apiPort }) => ({ HAPROXY_PORT: String(apiPort) }),
  },
  {
    name: "front",
    tool: "test_probe_front",
    reaches: "its own listening address",
    needs: [],
    env: ({ apiPort }) => ({ HAPROXY_PORT: String(apiPort) }),
  },
  {
    name: "acme",
    tool: "test_probe_acme",
    reaches: "the CA and the DNS provider",
    needs: ["Runtime API by address", "other port by name"],
    env: ({ apiPort, otherPort }) => ({
      HAPROXY_PORT: String(freePort()),
      // By these names alone.
      ACME_DIRECTORY: `https://127.0.0.1:${apiPort}/probe`,
      CF_API_URL: `https://localhost:${otherPort}`,
    }),
  },
];

/** A worker of a checkout takes half a second to start. */
const kindsFor = (build: Build) =>
  build === "compiled" || FULL ? allKinds : allKinds.filter((kind) => kind !== "workers");

/** Deno's feature version: "2.6". */
async function denoOf(agent: Agent): Promise<string> {
  return (await agent.call("test_read", { ms: 0 })).text.replace(/\.\d+$/, "");
}

/** Every attempt has to be denied, and not to fail for another reason, but for those known to be allowed. */
function judge(room: Room, gaps: readonly string[], results: Readonly<Record<string, unknown>>) {
  const known = [...EVERYWHERE, ...gaps, ...room.needs];
  const attempts = Object.entries(results);
  const denied = attempts.filter(([, result]) => result === "DENIED");
  const escaped = attempts.filter(([name, result]) =>
    result !== "DENIED" && !(result === "ALLOWED" && known.includes(name))
  );
  record("Escapes", `${room.name} room`, {
    tried: attempts.length,
    denied: denied.length,
    escaped: escaped.length,
  });
  assert.deepEqual(escaped, []);
  assert.ok(attempts.length > 300, `${attempts.length} attempts`);
  for (const name of room.needs) assert.equal(results[name], "ALLOWED", name);
}

for (const build of BUILDS) {
  for (const room of ROOMS) {
    Deno.test(`${build}: the ${room.name} room reaches ${room.reaches}, and nothing else`, async () => {
      await using trial = await prepare();
      const { target } = trial;
      const env = {
        MCP_PORT: String(freePort()),
        CF_Token: "token-of-the-test",
        ...room.env(target),
      };
      await using agent = await startAgent({ root: target.root, env, build });
      const gaps = GAPS[await denoOf(agent)] ?? [];
      const before = await ambienceOf(agent.pid);
      // Put there after the start, which refuses such a link.
      await Deno.symlink(target.outside, target.link);
      const asked = { ...target, kinds: kindsFor(build) };
      const { structured, text } = await agent.call(room.tool, asked)
        .catch((cause) => ({ structured: undefined, text: String(cause) }));
      judge(room, gaps, structured ?? { [text]: "no answer" });
      await assertUntouched(trial, before);
    });
  }
}

Deno.test({
  name: "with every permission the attempts succeed: a room's denials are no accidents",
  // Ten seconds, for what only a change of the attempts can change.
  ignore: !FULL,
  fn: testUnbound,
});

async function testUnbound(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  // Deno keeps there what the attempts import and store.
  const cache = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    const main = fileURLToPath(new URL("./probe_unbound.ts", import.meta.url));
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-prompt", "--no-check", "--no-config", "--no-lock", "--quiet"],
        ...["--unstable-worker-options", main, folder],
      ],
      env: { TMPDIR: folder, DENO_DIR: cache },
      stdin: "null",
    }).output();
    const said = new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1)!;
    assert.match(said, /^\{/, new TextDecoder().decode(stderr));
    const results = Object.values(JSON.parse(said));
    const allowed = results.filter((result) => result === "ALLOWED").length;
    // The others want what isn't there: a device, a library, IPv6, an unstable API, another version's gap.
    assert.ok(allowed > results.length * 0.7, `${allowed} of ${results.length}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
    await Deno.remove(cache, { recursive: true });
  }
}
