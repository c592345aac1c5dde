/** Every way out that a room could try, from inside the running agent. What is not named here is denied by Deno. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Build, BUILDS, makeRoot, startAgent } from "../support/rooms/agent.ts";
import { freePort } from "../support/ports.ts";
import type { ProbeTarget } from "../support/rooms/probe.ts";

/** Valid as a module, too, so that an import of it could succeed. */
const UNTOUCHED = "export {};";

/** What every room may learn of the process that it runs in. */
const HARMLESS = ["working folder", "program's path"];

/**
 * The module loader of a compiled executable (seen in 2.6.10) asks for no read permission: code in a
 * room can run a script, with no more rights than its own, or read a JSON file that the process's
 * user can. From the checkout it does ask.
 */
const COMPILED_GAP = ["import a file", "run a file as a worker"];

interface Trial extends AsyncDisposable {
  readonly target: ProbeTarget;
  readonly outsideFolder: string;
}

/** A root, a link in it that leads out, a Runtime API's port and another one, and somebody's file. */
async function prepare(): Promise<Trial> {
  const root = await makeRoot();
  const outsideFolder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  const outside = join(outsideFolder, "secret");
  await Deno.writeTextFile(outside, UNTOUCHED);
  const api = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const other = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    return new Response("somebody's");
  });
  void (async () => {
    for await (const connection of api) connection.close();
  })();
  const target = {
    root,
    apiPort: (api.addr as Deno.NetAddr).port,
    otherPort: other.addr.port,
    outside,
    link: join(root, "conf/leads-out"),
    pid: Deno.pid,
  };
  return {
    target,
    outsideFolder,
    async [Symbol.asyncDispose]() {
      api.close();
      await other.shutdown();
      await Deno.remove(root, { recursive: true });
      await Deno.remove(outsideFolder, { recursive: true });
    },
  };
}

/** Which attempts succeeded; every other one must have been denied, not failed for some other reason. */
function allowed(results: Readonly<Record<string, unknown>> = {}, build: Build): string[] {
  const unjudged = build === "compiled" ? COMPILED_GAP : [];
  const judged = Object.entries(results).filter(([name]) => !unjudged.includes(name));
  assert.ok(judged.length > 60);
  const others = judged.filter(([, result]) => result !== "DENIED");
  assert.deepEqual(others.filter(([, result]) => result !== "ALLOWED"), []);
  return others.map(([name]) => name).sort();
}

async function assertUntouched({ target, outsideFolder }: Trial): Promise<void> {
  assert.equal(await Deno.readTextFile(target.outside), UNTOUCHED);
  const names = await Array.fromAsync(Deno.readDir(outsideFolder), ({ name }) => name);
  assert.deepEqual(names, ["secret"]);
}

for (const build of BUILDS) {
  Deno.test(`${build}: the tools room reaches its root and the Runtime API, and nothing else`, async () => {
    await using trial = await prepare();
    const { target } = trial;
    const env = { HAPROXY_PORT: String(target.apiPort), MCP_PORT: String(freePort()) };
    await using agent = await startAgent({ root: target.root, env, build });
    // Put there after the start, which refuses such a link: Deno follows it, the path guard does not.
    await Deno.symlink(target.outside, target.link);
    const { structured } = await agent.call("test_probe", { ...target });
    assert.deepEqual(
      allowed(structured, build),
      [
        ...HARMLESS,
        "read root",
        "write root",
        "read through a link",
        "Runtime API by address",
        "Runtime API by name",
      ].sort(),
    );
    await assertUntouched(trial);
  });

  Deno.test(`${build}: the front room reaches its own listening address, and nothing else`, async () => {
    await using trial = await prepare();
    const { target } = trial;
    const env = { HAPROXY_PORT: String(target.apiPort), MCP_PORT: String(freePort()) };
    await using agent = await startAgent({ root: target.root, env, build });
    await Deno.symlink(target.outside, target.link);
    const { structured } = await agent.call("test_probe_front", { ...target });
    assert.deepEqual(allowed(structured, build), [...HARMLESS].sort());
    await assertUntouched(trial);
  });

  Deno.test(`${build}: the acme room reaches the CA and the DNS provider, and nothing else`, async () => {
    await using trial = await prepare();
    const { target } = trial;
    const env = {
      HAPROXY_PORT: String(freePort()),
      MCP_PORT: String(freePort()),
      // By these names alone.
      ACME_DIRECTORY: `https://127.0.0.1:${target.apiPort}/probe`,
      CF_API_URL: `https://localhost:${target.otherPort}`,
    };
    await using agent = await startAgent({ root: target.root, env, build });
    await Deno.symlink(target.outside, target.link);
    const { structured } = await agent.call("test_probe_acme", { ...target });
    assert.deepEqual(
      allowed(structured, build),
      [...HARMLESS, "Runtime API by address", "other port by name"].sort(),
    );
    await assertUntouched(trial);
  });
}
