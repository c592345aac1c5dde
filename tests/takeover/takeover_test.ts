/** `init` in a root that the original has left: what it takes, what it tells, and that nothing is lost. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readSettings } from "../../lib/config.ts";
import { takeOver } from "../../lib/takeover/mod.ts";
import { DOMAINS_MAP, originalRoot, TOKEN, WILDCARDS_MAP } from "./original.ts";

Deno.test("takeOver makes lines of domains.map of what stands in wildcards.map, and keeps both as they were", async () => {
  await using root = await originalRoot();
  await root.take();
  assert.equal(
    await root.text("conf/domains.map"),
    `${DOMAINS_MAP}.a.test pool_1\n.c.test pool_2\n`,
  );
  assert.equal(await root.text("conf/domains.map.original"), DOMAINS_MAP);
  assert.equal(await root.text("conf/wildcards.map"), WILDCARDS_MAP);
});

Deno.test("takeOver merges once: a wildcard that was removed since does not come back", async () => {
  await using root = await originalRoot();
  await root.take();
  const without = (await root.text("conf/domains.map")).replace(".a.test pool_1\n", "");
  await root.write("conf/domains.map", without);
  const { done } = await root.take();
  assert.equal(await root.text("conf/domains.map"), without);
  assert.doesNotMatch(done.join(), /wildcards\.map/);
});

Deno.test("takeOver tells a wildcard that the two maps lead to different pools, and keeps domains.map's", async () => {
  await using root = await originalRoot();
  await root.write("conf/wildcards.map", ".d.test pool_9\nnot a line\n");
  const { left } = await root.take();
  assert.match(await root.text("conf/domains.map"), /^\.d\.test pool_3$/m);
  assert.match(left[0], /wildcards\.map, line 1: \.d\.test leads to pool_9, but .* to pool_3/);
  assert.match(left[1], /wildcards\.map, line 2: "not a line"/);
});

Deno.test("takeOver leaves servers.json as it is where all of it can be read, beside a copy", async () => {
  await using root = await originalRoot();
  const before = await root.text("conf/servers.json");
  const { done } = await root.take();
  assert.equal(await root.text("conf/servers.json"), before);
  assert.equal(await root.text("conf/servers.json.original"), before);
  assert.match(done.join("\n"), /servers\.json: 4 servers, by domain/);
});

Deno.test("takeOver takes each server that it can, tells the others, and keeps the file as it was", async () => {
  await using root = await originalRoot();
  const before = JSON.stringify({
    "a.test": {
      "1": { ip: "10.0.0.1", http_port: 80, https_port: 443 },
      "2": { ip: "nowhere", http_port: 80 },
      "11": { ip: "10.0.0.1", http_port: 80 },
    },
    "b.test": { "1": { ip: "10.0.0.9", http_port: 80 } },
    "gone.test": { "1": { ip: "10.0.0.7", http_port: 80 } },
  });
  await root.write("conf/servers.json", before);
  const { left } = await root.take();
  assert.deepEqual(JSON.parse(await root.text("conf/servers.json")), {
    pool_1: { "1": { ip: "10.0.0.1", http_port: 80, weight: 1, state: "ready" } },
  });
  assert.equal(await root.text("conf/servers.json.original"), before);
  const told = left.filter((sentence) => sentence.startsWith("servers.json.original, "));
  for (
    const [index, words] of [
      /a\.test\.1: https_port is not known/,
      /nowhere.*\(a\.test\)/,
      /"11" is not one of the slots.*\(a\.test\)/,
      /b\.test\.1: 10\.0\.0\.9:80, but pool_1's slot 1 has 10\.0\.0\.1:80/,
      /gone\.test: no line of domains\.map/,
    ].entries()
  ) assert.match(told[index], words);
  assert.equal(told.length, 5);
});

Deno.test("takeOver never writes a servers.json that is ours, by pool, and tells what serve does not take of it", async () => {
  await using root = await originalRoot();
  await root.take();
  for (
    const [text, env, words] of [
      [
        '{"pool_1": {"9": {"ip": "10.0.0.1", "http_port": 80}}}',
        { HAPROXY_MAX_SLOTS: "5" },
        /servers\.json, .*"9" is not one of the slots.*The file stays as it is/,
      ],
      [
        '{"pool_1": {"1": {"ip": "10.0.0.1"}}, "pol_2": {"1": {"ip": "10.0.0.2"}}}',
        {},
        /servers\.json, pol_2: no line of domains\.map.*The file stays as it is/,
      ],
    ] as const
  ) {
    await root.write("conf/servers.json", text);
    const { left } = await root.take(env);
    assert.equal(await root.text("conf/servers.json"), text);
    assert.match(left.join("\n"), words);
  }
});

Deno.test("takeOver keeps what it rewrites under a name that nothing has yet", async () => {
  await using root = await originalRoot();
  const first = await root.text("conf/servers.json");
  await root.take();
  const second = '{"a.test": {"1": {"ip": "10.0.0.5", "http_port": 80}, "2": {"ip": "nowhere"}}}';
  await root.write("conf/servers.json", second);
  const { done } = await root.take();
  assert.match(done.join("\n"), /As it was: servers\.json\.original\.2\./);
  assert.equal(await root.text("conf/servers.json.original"), first);
  assert.equal(await root.text("conf/servers.json.original.2"), second);
  for (const [name, token] of [["FIRST", "a"], ["SECOND", "b"]]) {
    await root.write("conf/mcp-token.env", `${name}=${token}\n`);
    await root.take();
  }
  assert.equal(await root.text("conf/mcp-token.env.original"), "FIRST=a\n");
  assert.equal(await root.text("conf/mcp-token.env.original.2"), "SECOND=b\n");
});

Deno.test("takeOver gives a copy the mode and the owner of the file", async () => {
  await using root = await originalRoot();
  const path = join(root.path, "conf/servers.json");
  await Deno.chmod(path, 0o640);
  if (Deno.uid() === 0) await Deno.chown(path, 4711, 4712);
  await root.take();
  const [old, copy] = await Promise.all([Deno.stat(path), Deno.stat(`${path}.original`)]);
  for (const field of ["mode", "uid", "gid"] as const) assert.equal(copy[field], old[field], field);
});

Deno.test("takeOver never makes a token for everything of one for reading", async () => {
  await using root = await originalRoot();
  const text = `MCP_READONLY_TOKEN=${TOKEN}\n`;
  await root.write("conf/mcp-token.env", text);
  const { left } = await root.take();
  assert.equal(await root.text("conf/mcp-token.env"), text);
  assert.match(left.join("\n"), /no MCP_TOKEN is set/);
});

Deno.test("takeOver finds the pool of a domain that has a wildcard alone", async () => {
  await using root = await originalRoot();
  await root.write("conf/wildcards.map", ".only.test pool_7\n");
  await root.write(
    "conf/servers.json",
    '{"only.test": {"1": {"ip": "10.0.0.1", "http_port": 80, "old": 1}}}',
  );
  await root.take();
  assert.match(await root.text("conf/servers.json"), /"pool_7"/);
});

Deno.test("takeOver closes the token file to others, and keeps its token, under whatever name", async () => {
  await using root = await originalRoot();
  await root.take();
  assert.equal(await root.mode("conf/mcp-token.env"), 0o600);
  assert.equal(await root.text("conf/mcp-token.env"), `MCP_TOKEN=${TOKEN}\n`);
  await root.write("conf/mcp-token.env", `# ours\nexport MCP_AUTH_TOKEN="${TOKEN}"\n`);
  const { done } = await root.take();
  assert.equal(await root.text("conf/mcp-token.env"), `MCP_TOKEN=${TOKEN}\n`);
  assert.match(await root.text("conf/mcp-token.env.original"), /MCP_AUTH_TOKEN/);
  assert.equal(await root.mode("conf/mcp-token.env.original"), 0o600);
  assert.ok(!done.join().includes(TOKEN), "no secret in what is printed");
});

Deno.test("takeOver tells a token file that it can't read, without its content", async () => {
  await using root = await originalRoot();
  await root.write("conf/mcp-token.env", `ONE=${TOKEN}\nTWO=${TOKEN}\n`);
  const { left } = await root.take();
  assert.match(left.join("\n"), /mcp-token\.env: line 1 sets neither of the two/);
  assert.ok(!left.join().includes(TOKEN));
});

Deno.test("takeOver names what keeps serve from starting, and a database that nobody reads", async () => {
  await using root = await originalRoot();
  await root.write("data/haproxy_mcp.db", "");
  const { left } = await root.take();
  assert.match(left.join("\n"), /haproxy_mcp\/\.venv\/bin\/python leads out of/);
  assert.match(left.join("\n"), /data\/haproxy_mcp\.db is not read/);
});

Deno.test("takeOver says what haproxy.cfg lacks, and leaves it as it is", async () => {
  await using root = await originalRoot();
  const before = await root.text("conf/haproxy.cfg");
  const { config } = await root.take();
  assert.equal(await root.text("conf/haproxy.cfg"), before);
  const wanted = [/wildcards\.map/, /server-state-file/, /slot\.invalid/, /maxconn/, /crt-list/];
  assert.equal(config.length, wanted.length);
  for (const [index, words] of wanted.entries()) assert.match(config[index], words);
});

Deno.test("takeOver says what a configuration lacks that knows nothing of the agent, with lines as they are to be", async () => {
  await using root = await originalRoot();
  await root.write("haproxy.cfg", OF_SOMEBODY);
  const { config } = await root.take({
    HAPROXY_CONFIG_FILE: "haproxy.cfg",
    HAPROXY_PORT: "9001",
    HAPROXY_MAX_SLOTS: "4",
  });
  const wanted = [
    /`stats socket ipv4@127\.0\.0\.1:9001 level admin`/,
    new RegExp(`map_str\\(${root.path}/conf/domains\\.map\\)\``),
    /`server-template pool_N_ 1-4 slot\.invalid:1 disabled`/,
    new RegExp(`\`server-state-file ${root.path}/conf/servers\\.state\``),
    /maxconn 50/,
    new RegExp(`\`ssl crt-list ${root.path}/certs/crt-list\\.txt\``),
  ];
  assert.equal(config.length, wanted.length, config.join("\n"));
  for (const [index, words] of wanted.entries()) assert.match(config[index], words);
});

Deno.test("takeOver says that the configuration is missing which HAPROXY_CONFIG_FILE names", async () => {
  await using root = await originalRoot();
  const { left, config } = await root.take({ HAPROXY_CONFIG_FILE: "/nowhere/haproxy.cfg" });
  assert.match(left.join("\n"), /\/nowhere\/haproxy\.cfg, which HAPROXY_CONFIG_FILE names, is not/);
  assert.deepEqual(config, []);
});

/** As a distribution has it, and people: a socket, backends and certificates of their own. */
const OF_SOMEBODY = `global
    stats socket /run/haproxy/admin.sock mode 660 level admin
    # stats socket 127.0.0.1:9001 level admin
frontend web
    bind :443 ssl crt /etc/haproxy/certs/
    use_backend %[req.hdr(host),map(/etc/haproxy/hosts.map)]
backend web
    server-template web_ 1-3 10.0.0.1:80
`;

Deno.test("takeOver has nothing to say of a root that is our own", async () => {
  const path = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    const { writeLayout } = await import("../../lib/init/layout.ts");
    const { defaultOptions } = await import("../../lib/init/options.ts");
    await writeLayout({ ...defaultOptions(path), pools: 2 });
    await Deno.writeTextFile(join(path, "conf/mcp-token.env"), "MCP_TOKEN=a\n", { mode: 0o600 });
    assert.deepEqual(await takeOver(readSettings({ HAPROXY_ROOT: path })), {
      done: [],
      left: [],
      config: [],
    });
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});
