import assert from "node:assert/strict";
import { haproxyConfig } from "../../lib/init/config.ts";
import { writeLayout } from "../../lib/init/layout.ts";
import { defaultOptions, type InitOptions, paths } from "../../lib/init/options.ts";
import { HAPROXY_VERSIONS, haproxyBinary, type HaproxyVersion } from "../support/haproxy.ts";

const MCP = { host: "mcp.example.com", address: "127.0.0.1", port: 8000 };
const ACCOUNT = { user: "nobody", group: await groupOfNobody() };

const OPTION_SETS: Readonly<Record<string, Partial<InitOptions>>> = {
  "the defaults": {},
  "the defaults, started by root": { account: ACCOUNT },
  "ports above 1023": { httpPort: 8080, httpsPort: 8443 },
  "ports above 1023, started by root": { httpPort: 8080, httpsPort: 8443, account: ACCOUNT },
  "the agent's host, HTTP checks": { mcp: MCP, checkPath: "/healthz?full=1" },
  "the agent on IPv6": { mcp: { ...MCP, address: "::1" }, api: { address: "::1", port: 9999 } },
  "IPv4 alone": { bind: ["0.0.0.0"] },
  "IPv6 alone": { bind: ["2001:db8::1"] },
  "several addresses": { bind: ["192.0.2.1", "192.0.2.2", "2001:db8::1"] },
  "one pool of one slot": { pools: 1, slots: 1 },
  "1000 pools": { pools: 1000 },
};

for (const version of HAPROXY_VERSIONS) {
  for (const [name, options] of Object.entries(OPTION_SETS)) {
    Deno.test(`haproxy.cfg is valid and warns of nothing: ${version}, ${name}`, async () => {
      assert.deepEqual(await check(version, options), { code: 0, output: "" });
    });
  }

  Deno.test(`the check above sees what HAProxy refuses: ${version}`, async () => {
    const { code, output } = await check(version, {
      account: { user: "no-such", group: "no-such" },
    });
    assert.equal(code, 1);
    assert.match(output, /no-such/);
  });
}

Deno.test("haproxy.cfg never lets a slot's name reach a resolver", () => {
  const lines = directives(haproxyConfig(defaultOptions("/opt/haproxy")));
  const initAddr = lines.filter((line) => line.includes("init-addr"));
  assert.deepEqual(initAddr.map((line) => /init-addr (\S+)/.exec(line)?.[1]), ["last,127.0.0.1"]);
});

Deno.test("haproxy.cfg lets connections that rest have one more answer after a reload, in every frontend", () => {
  const sections = directives(haproxyConfig(defaultOptions("/opt/haproxy"))).join("\n")
    .split(/^(?=\w)/m);
  const option = sections.filter((section) => /option idle-close-on-response$/m.test(section));
  assert.deepEqual(option.map((section) => section.split("\n")[0]), ["defaults"]);
});

Deno.test("haproxy.cfg leaves master-worker mode and the master CLI to the command line", () => {
  const text = directives(haproxyConfig(defaultOptions("/opt/haproxy"))).join("\n");
  assert.doesNotMatch(text, /master-worker|mworker/);
});

Deno.test("haproxy.cfg gives the capability for low ports only to a HAProxy that root starts", () => {
  const setcap = (options: Partial<InitOptions>) =>
    directives(haproxyConfig({ ...defaultOptions("/opt/haproxy"), ...options }))
      .filter((line) => /^\s*(setcap|user|chroot)/.test(line)).map((line) =>
        line.trim().split(" ")[0]
      );
  assert.deepEqual(setcap({ account: ACCOUNT }), ["user", "chroot", "setcap"]);
  assert.deepEqual(setcap({ account: ACCOUNT, httpPort: 8080 }), ["user", "chroot", "setcap"]);
  assert.deepEqual(
    setcap({ account: ACCOUNT, httpPort: 8080, httpsPort: 8443 }),
    ["user", "chroot"],
  );
  assert.deepEqual(setcap({}), []);
});

Deno.test("haproxy.cfg's open files cover every connection twice and every slot's check", () => {
  const limit = (pools: number, slots: number) => {
    const config = haproxyConfig({ ...defaultOptions("/opt/haproxy"), pools, slots });
    return Number(/^ +fd-hard-limit (\d+)$/m.exec(config)?.[1]);
  };
  assert.ok(limit(100, 10) > 2 * 20_000 + 1_000);
  assert.equal(limit(200, 10) - limit(100, 10), 1_000);
});

/** `haproxy -c` on a fresh root. */
async function check(version: HaproxyVersion, options: Partial<InitOptions>) {
  const root = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    await writeLayout({ ...defaultOptions(root), ...options });
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", 'exec "$@"', "sh", haproxyBinary(version), "-c", "-f", paths(root).config],
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return { code, output: text };
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

function directives(config: string): string[] {
  return config.split("\n").filter((line) => !/^\s*(#|$)/.test(line));
}

/** Debian says nogroup, others nobody. */
async function groupOfNobody(): Promise<string> {
  return /^nogroup:/m.test(await Deno.readTextFile("/etc/group")) ? "nogroup" : "nobody";
}
