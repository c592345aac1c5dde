/** The agent beside the original's HAProxy, on the original's files: all that was there is there. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { executable, runAgent, startServe } from "../support/agent.ts";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";
import { openPki } from "../support/pki.ts";
import { request } from "../support/request.ts";
import { CONFIG, makeOriginal, TOKEN } from "./original.ts";

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`after init the agent lists and serves all that the original had: ${version}`, async () => {
    await using a = startBackend("a");
    await using c = startBackend("c");
    await using d = startBackend("d");
    const root = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(root, { recursive: true }));
    const addresses = [a, c, d].map(({ address, port }) => ({ ip: address, http_port: port }));
    await makeOriginal(root, addresses);
    await using pki = await openPki();
    await Deno.writeTextFile(join(root, "certs/a.test.pem"), (await pki.issue(["a.test"])).pem);
    const before = await Deno.readTextFile(join(root, "conf/servers.json"));

    const haproxy = stack.use(
      await startHaproxy({
        version,
        root,
        pools: 3,
        slots: 10,
        edit: (ours) => originalConfig(root, ours),
      }),
    );
    const get = async (host: string) =>
      (await request({ port: haproxy.options.httpPort, host })).body;
    const config = await Deno.readTextFile(haproxy.configFile);
    const { code, stdout, stderr } = await runAgent(haproxy, ["init"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Taken over from the original:\n- .*wildcards\.map: 2 wildcards/m);
    assert.equal(await Deno.readTextFile(haproxy.configFile), config, "haproxy.cfg is the user's");
    // As install.sh does.
    await Deno.rename(join(root, "haproxy_mcp"), `${root}.python`);
    stack.defer(() => Deno.remove(`${root}.python`, { recursive: true }));

    const agent = stack.use(await startServe(haproxy, { program: executable() }));
    assert.equal(agent.token, TOKEN, "its clients' token still lets them in");
    const http = await agent.connect();
    const { structured } = await http.call("list_domains", { include_wildcards: true });
    const domains = structured.domains as { domain: string; pool: string }[];
    assert.deepEqual(domains.map(({ domain, pool }) => `${domain} ${pool}`), [
      "a.test pool_1",
      "*.a.test pool_1",
      "b.test pool_1",
      "c.test pool_2",
      "*.c.test pool_2",
      "d.test pool_3",
      "*.d.test pool_3",
    ]);
    const slots = async (domain: string) => {
      const { structured } = await http.call("list_servers", { domain });
      return (structured.servers as { slot: number; ip: string; http_port: number }[])
        .map(({ slot, ip, http_port }) => `${slot} ${ip}:${http_port}`);
    };
    const [one, two, three] = addresses.map(({ ip, http_port }) => `${ip}:${http_port}`);
    assert.deepEqual(await slots("a.test"), [`1 ${one}`, `2 ${one}`]);
    assert.deepEqual(await slots("b.test"), [`1 ${one}`, `2 ${one}`]);
    assert.deepEqual(await slots("c.test"), [`1 ${two}`]);
    assert.deepEqual(await slots("d.test"), [`3 ${three}`]);
    const certificates = (await http.call("list_certs")).structured.certificates;
    assert.ok((certificates as { domain: string }[]).some(({ domain }) => domain === "a.test"));

    for (
      const [host, body] of [
        ["a.test", "a\n"],
        ["b.test", "a\n"],
        ["www.a.test", "a\n"],
        ["c.test", "c\n"],
        ["d.test", "d\n"],
      ]
    ) assert.equal(await get(host), body, host);

    await http.call("set_server_weight", { domain: "c.test", slot: 1, weight: 9 });
    assert.equal(await Deno.readTextFile(join(root, "conf/servers.json.original")), before);
    const servers = JSON.parse(await Deno.readTextFile(join(root, "conf/servers.json")));
    assert.deepEqual(Object.keys(servers), ["pool_1", "pool_2", "pool_3"]);
  });
}

/** The original's, on this machine's paths and on the ports of ours; its TLS is another test's. */
function originalConfig(root: string, ours: string): string {
  const [, api] = /stats socket (\S+)/.exec(ours)!;
  const [, http] = /frontend fe_http\n +bind (\S+)/.exec(ours)!;
  return CONFIG.replace("ipv4@127.0.0.1:9999", api).replace("*:80", http)
    .replaceAll("/usr/local/etc/haproxy/", `${root}/conf/`)
    .replace(/frontend https_front\n(?: .*\n)*/, "");
}
