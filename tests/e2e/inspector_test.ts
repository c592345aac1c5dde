/** The MCP inspector's command line as a client that others wrote: it lists and calls over HTTP and over stdio. */
import assert from "node:assert/strict";
import { agentEnv, executable } from "../support/agent.ts";
import { clientFile, runClient } from "../support/clients.ts";
import { openSite, type Site } from "./site.ts";

type Inspect = (method: string, ...args: readonly string[]) => Promise<Record<string, unknown>>;

const INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";

function inspect(target: readonly string[]): Inspect {
  return async (method, ...args) => {
    const command = [clientFile(INSPECTOR), "--cli", ...target, "--method", method, ...args];
    const { code, stdout, stderr } = await runClient("node", command);
    assert.equal(code, 0, stdout + stderr);
    return JSON.parse(stdout);
  };
}

const byHttp = ({ agent: { url, token } }: Site) =>
  inspect([url, "--transport", "http", "--header", `Authorization: Bearer ${token}`]);

const byStdio = ({ haproxy }: Site) =>
  inspect([
    executable(),
    "stdio",
    ...Object.entries(agentEnv(haproxy)).flatMap(([name, value]) => ["-e", `${name}=${value}`]),
  ]);

const namesOf = (list: unknown) =>
  (list as readonly { readonly name: string }[]).map((e) => e.name);

for (const [way, open] of [["HTTP", byHttp], ["stdio", byStdio]] as const) {
  Deno.test(`the inspector by ${way} lists tools, resources and prompts, and calls tools`, async () => {
    await using site = await openSite();
    const ask = open(site);

    const [{ tools }, { resources }, { prompts }] = await Promise.all([
      ask("tools/list", "--strict"), // ends with 6 where a schema is not portable between models' APIs
      ask("resources/list"),
      ask("prompts/list"),
    ]);
    const { client } = site.http;
    assert.deepEqual(namesOf(tools), namesOf((await client.listTools()).tools));
    assert.deepEqual(namesOf(resources), namesOf((await client.listResources()).resources));
    assert.deepEqual(namesOf(prompts), namesOf((await client.listPrompts()).prompts));

    const place = ["domain=a.test", "ip=127.0.0.1", "http_port=8080"];
    const added = await ask(
      "tools/call",
      "--tool-name",
      "haproxy_add_domain",
      ...place.flatMap((pair) => ["--tool-arg", pair]),
    );
    assert.equal((added.structuredContent as { pool: string }).pool, "pool_1");
    const domains = await ask("tools/call", "--tool-name", "haproxy_list_domains");
    assert.equal((domains.structuredContent as { count: number }).count, 1);
    const { structured } = await site.http.call("list_domains");
    assert.deepEqual(domains.structuredContent, structured);
  });
}
