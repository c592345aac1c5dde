/** What no caller may get through, by any way into the executable: refused with its code, and nothing is changed. */
import assert from "node:assert/strict";
import { callFromShell, connectStdio, runAgent } from "../support/agent.ts";
import { snapshot } from "../support/tools.ts";
import { openSite, type Site } from "./site.ts";

async function openWithDomain(): Promise<Site> {
  const site = await openSite({ slots: 10 });
  await site.http.call("add_domain", { domain: "good.test", ip: "10.0.0.1" });
  return site;
}

const DOMAINS = [
  "a\n.test",
  "a;b.test",
  "a\\b.test",
  "a b.test",
  "a..test",
  "../a.test",
  "a_b.test",
  `${"a.".repeat(125)}test`,
  "test",
  "10.0.0.1",
  "::1",
];
const IPS = [
  "300.1.1.1",
  "::",
  "fe80::1",
  "127.1",
  "localhost",
  "10.0.0.1;show info",
  "10.0.0.1\n",
];
const PORTS = [0, 65536, "80x", 1.5];

Deno.test("domains, addresses, ports, slots and parameters that can't be are VALIDATION", async () => {
  await using site = await openWithDomain();
  const before = await snapshot(site.haproxy);
  const domain = "good.test";
  const ip = "10.0.0.2";
  const calls: readonly (readonly [string, object])[] = [
    ...DOMAINS.flatMap((domain) =>
      [
        ["add_domain", { domain, ip }],
        ["add_domain", { domain: "new.test", share_with: domain }],
        ["remove_domain", { domain }],
        ["list_servers", { domain }],
        ["add_server", { domain, ip }],
        ["set_domain_state", { domain, state: "maint" }],
      ] as const
    ),
    ...IPS.flatMap((ip) =>
      [
        ["add_domain", { domain: "new.test", ip }],
        ["add_server", { domain, ip }],
        ["add_servers", { domain, servers: [{ ip: "10.0.0.2" }, { ip }] }],
      ] as const
    ),
    ...PORTS.flatMap((http_port) =>
      [
        ["add_domain", { domain: "new.test", ip, http_port }],
        ["add_server", { domain, ip, http_port }],
        ["add_servers", { domain, servers: [{ ip }, { ip, http_port }] }],
      ] as const
    ),
    ...[-1, 11, 1.5].map((slot) => ["add_server", { domain, ip, slot }] as const),
    ...[-1, 0, 11, 1.5].flatMap((slot) =>
      [
        ["remove_server", { domain, slot, force: true }],
        ["set_server_state", { domain, slot, state: "maint", force: true }],
        ["set_server_weight", { domain, slot, weight: 1 }],
        ["wait_drain", { domain, slot }],
      ] as const
    ),
    ["add_servers", { domain, servers: "[{" }],
    ["add_servers", { domain, servers: JSON.stringify([{ ip, note: "x".repeat(11_000) }]) }],
    ["add_servers", { domain, servers: Array(11).fill({ ip }) }],
    ["add_domain", { domain: "new.test", ip, port: 80 }],
    ["list_domains", { page: 2 }],
  ];
  for (const [name, args] of calls) {
    const error = await site.http.refused(name, args);
    assert.equal(error.code, "VALIDATION", `${name} ${JSON.stringify(args)}: ${error.message}`);
    assert.ok(error.hint, error.message);
  }
  assert.deepEqual(await snapshot(site.haproxy), before);
});

Deno.test("HTTP: bodies that are too large or broken, unknown tools and strangers are turned away", async () => {
  await using site = await openWithDomain();
  const { url, token } = site.agent;
  const before = await snapshot(site.haproxy);
  const call = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "haproxy_add_domain", arguments: { domain: "new.test", ip: "10.0.0.2" } },
  });
  const post = async (body: string, authorization = `Bearer ${token}`) => {
    const response = await fetch(url, {
      method: "POST",
      body,
      headers: {
        Authorization: authorization,
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
      },
    });
    return [response.status, (await response.json()).error.code];
  };
  // Several times and much too large: the answer has to reach a sender that is still sending.
  for (let i = 1; i <= 6; i++) {
    assert.deepEqual(await post(`${call}${" ".repeat(i * 1024 * 1024)}`), [413, -32000]);
  }
  assert.deepEqual(await post(call.slice(0, -1)), [400, -32700]);
  assert.deepEqual(await post(""), [400, -32700]);
  assert.deepEqual(await post(call, "Bearer wrong"), [401, -32000]);
  await assert.rejects(site.http.call("reformat_disk"), { code: -32602, message: /reformat_disk/ });
  await site.http.call("list_domains");
  assert.deepEqual(await snapshot(site.haproxy), before);
});

Deno.test("stdio: an unknown tool and an unknown parameter are refused, and the client goes on", async () => {
  await using site = await openWithDomain();
  await using stdio = await connectStdio(site.haproxy);
  const before = await snapshot(site.haproxy);
  await assert.rejects(stdio.call("reformat_disk"), { code: -32602 });
  const error = await stdio.refused("remove_domain", { domain: "good.test", pool: "pool_1" });
  assert.equal(error.code, "VALIDATION");
  assert.equal((await stdio.call("list_domains")).structured.count, 1);
  assert.deepEqual(await snapshot(site.haproxy), before);
});

Deno.test("shell: a line that can't be understood ends with 2, a refusal with 1, and stdout is empty", async () => {
  await using site = await openWithDomain();
  const { haproxy } = site;
  const before = await snapshot(haproxy);
  for (
    const words of [
      ["call", "reformat-disk"],
      ["call", "add-domain", "--domain", "new.test", "--pool", "pool_1"],
      ["call", "add-domain", "--args", '{"domain":'],
      ["call", "add-domain", "--args", "[]"],
      ["serv"],
    ]
  ) {
    const { code, stdout, stderr } = await runAgent(haproxy, words);
    assert.deepEqual([code, stdout], [2, ""], words.join(" "));
    assert.match(stderr, /^error: /);
  }
  for (
    const [args, code] of [
      [["add-domain", "--domain", "a;b.test"], "VALIDATION"],
      [
        ["add-domain", "--domain", "new.test", "--ip", "10.0.0.2", "--http-port", "80x"],
        "VALIDATION",
      ],
      [["add-domain", "--domain", "good.test"], "CONFLICT"],
    ] as const
  ) {
    const plain = await runAgent(haproxy, ["call", ...args]);
    assert.deepEqual([plain.code, plain.stdout], [1, ""]);
    assert.match(plain.stderr, /^Error: .* Hint: /);
    const json = await runAgent(haproxy, ["call", "--json", ...args]);
    assert.equal(json.code, 1);
    assert.equal(JSON.parse(json.stdout).error.code, code);
  }
  const unknown = await callFromShell(haproxy, "remove_domain", { domain: "good.test", pool: "x" });
  assert.equal(unknown.code, 1);
  assert.equal((unknown.printed.error as { code: string }).code, "VALIDATION");
  assert.deepEqual(await snapshot(haproxy), before);
});
