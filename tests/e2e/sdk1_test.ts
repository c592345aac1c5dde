/** A client on the SDK's 1.x line (tests/clients/sdk1.mjs, on Node) does the main job over HTTP and over stdio. */
import assert from "node:assert/strict";
import { agentEnv, executable } from "../support/agent.ts";
import { runClient } from "../support/clients.ts";
import { openSite, type Site } from "./site.ts";

const WAYS: Readonly<Record<string, (site: Site) => Readonly<Record<string, string>>>> = {
  HTTP: ({ agent: { url, token } }) => ({ MCP_URL: url, MCP_TOKEN: token }),
  stdio: ({ haproxy }) => ({
    MCP_PROGRAM: executable(),
    MCP_PROGRAM_ENV: JSON.stringify(agentEnv(haproxy)),
  }),
};

for (const [way, env] of Object.entries(WAYS)) {
  Deno.test(`a client on SDK 1.x by ${way} lists all, adds a domain, and is asked before it is removed`, async () => {
    await using site = await openSite();
    const script = new URL("../clients/sdk1.mjs", import.meta.url);
    // Read from stdin, its imports are looked up from the folder that it runs in.
    const { code, stdout, stderr } = await runClient("node", ["--input-type=module"], {
      env: env(site),
      input: await Deno.readTextFile(script),
    });
    assert.equal(code, 0, stderr);
    const seen = JSON.parse(stdout);

    const { client } = site.http;
    const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
    assert.equal(seen.server, "haproxy-mcp");
    assert.deepEqual(seen.tools, names((await client.listTools()).tools));
    assert.deepEqual(seen.resources, names((await client.listResources()).resources));
    assert.deepEqual(
      seen.resourceTemplates,
      names((await client.listResourceTemplates()).resourceTemplates),
    );
    assert.deepEqual(seen.prompts, names((await client.listPrompts()).prompts));

    assert.equal(seen.added.pool, "pool_1");
    assert.deepEqual(seen.listed.domains.map(({ domain }: { domain: string }) => domain), [
      "a.test",
    ]);
    assert.equal(seen.questions.length, 1);
    assert.match(seen.questions[0], /a\.test/);
    assert.equal(seen.removed.servers_removed, 1);
    assert.equal(seen.left.count, 0);
  });
}
