/**
 * A process that tries every tool, but for those that order certificates, of an agent that is a plain user beside a HAProxy
 * that root has started: run it in a network of its own, as ports 80 and 443 have to be free. It prints its report.
 */
import { basename, dirname, join } from "node:path";
import { executableForAll, startServe } from "../agent.ts";
import { haproxyBinary, type HaproxyVersion, startHaproxy } from "../haproxy.ts";
import type { ToolCaller } from "../mcp_client.ts";
import { openPki } from "../pki.ts";
import { differences, lookAtHaproxy } from "./view.ts";

export interface OwnUserReport {
  readonly calls: number;
  /** Tools that did not do it, and why. */
  readonly failed: readonly string[];
  /** What HAProxy holds otherwise after a reload, and after a kill -9 and a start. */
  readonly afterReload: readonly string[];
  readonly afterStart: readonly string[];
}

const AGENT = { name: "daemon", uid: 1 };
const DOMAIN = { domain: "a.test" };

const CALLS: readonly (readonly [tool: string, args?: object])[] = [
  ["add_domain", { ...DOMAIN, ip: "10.0.0.1", wildcard: true }],
  ["add_domain", { domain: "b.test", share_with: "a.test" }],
  ["add_server", { ...DOMAIN, ip: "10.0.0.2", weight: 7 }],
  ["add_servers", { ...DOMAIN, servers: [{ slot: 3, ip: "10.0.0.3" }] }],
  ["set_server_weight", { ...DOMAIN, slot: 1, weight: 50 }],
  ["set_server_state", { ...DOMAIN, slot: 2, state: "drain", force: true }],
  ["wait_drain", DOMAIN],
  ["set_domain_state", { ...DOMAIN, state: "maint" }],
  ["set_domain_state", { ...DOMAIN, state: "ready" }],
  ["remove_server", { ...DOMAIN, slot: 3, force: true }],
  ["load_cert", DOMAIN],
  ["load_cert", { domain: "b.test" }],
  ["delete_cert", { domain: "b.test" }],
  ["renew_all_certs"],
  ["remove_domain", { domain: "b.test" }],
  ["save_state"],
  ["restore_state", { source: "desired" }],
  ["restore_state", { source: "state_file" }],
  ["check_config"],
  ["list_domains"],
  ["list_servers", DOMAIN],
  ["health"],
  ["domain_health", DOMAIN],
  ["get_server_health"],
  ["stats"],
  ["backends"],
  ["list_frontends"],
  ["get_connections"],
  ["list_certs"],
  ["cert_info", DOMAIN],
];

async function tryAllTools(
  version: HaproxyVersion,
  masterSocket = `mode,600,user,${AGENT.name}`,
): Promise<OwnUserReport> {
  await using haproxy = await startHaproxy({
    version,
    pools: 4,
    slots: 3,
    httpPort: 80,
    httpsPort: 443,
    account: { user: "nobody", group: "nogroup" },
    masterSocket,
  });
  const { root } = haproxy;
  await putCertificates(root);
  const program = await executableForAll(root);
  await giveTo(root);
  await using checker = await haproxyForAll(version);
  const become = [`--reuid=${AGENT.uid}`, `--regid=${AGENT.uid}`, "--clear-groups"];
  await using agent = await startServe(haproxy, {
    program,
    wrapper: ["setpriv", ...become],
    env: { HAPROXY_MASTER: join(root, "run/master.sock"), HAPROXY_BINARY: checker.path },
  });
  const http = await agent.connect();
  const failed = await failuresOf(http);
  const before = await lookAtHaproxy(haproxy);
  failed.push(...await failuresOf(http, [["reload"]]));
  const reloaded = await lookAtHaproxy(haproxy);
  await agent.end("SIGTERM");
  await haproxy.kill9();
  await haproxy.start();
  return {
    calls: CALLS.length + 1,
    failed,
    afterReload: differences(before, reloaded),
    afterStart: differences(before, await lookAtHaproxy(haproxy)),
  };
}

async function failuresOf(agent: ToolCaller, calls = CALLS): Promise<string[]> {
  const failed: string[] = [];
  for (const [tool, args] of calls) {
    await agent.call(tool, args).catch((cause) => failed.push(String(cause)));
  }
  return failed;
}

async function putCertificates(root: string): Promise<void> {
  await using pki = await openPki();
  for (const name of ["a.test", "b.test"]) {
    const { pem } = await pki.issue([name]);
    await Deno.writeTextFile(join(root, `certs/${name}.pem`), pem, { mode: 0o600 });
  }
}

/** HAProxy where every user may run it: the checkout may lie in a folder that is its owner's alone. */
async function haproxyForAll(version: HaproxyVersion) {
  const binary = haproxyBinary(version);
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  await Deno.chmod(folder, 0o755);
  // It brings its libraries along, beside bin/.
  const copy = join(folder, "haproxy");
  await run("cp", "--archive", dirname(dirname(binary)), copy);
  return {
    path: join(copy, "bin", basename(binary)),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** All but the sockets, whose owner HAProxy has chosen. */
async function giveTo(root: string): Promise<void> {
  const owner = `${AGENT.uid}:${AGENT.uid}`;
  await run("find", root, "!", "-type", "s", "-exec", "chown", owner, "{}", "+");
}

async function run(program: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
}

const [version, masterSocket] = Deno.args;
console.log(JSON.stringify(await tryAllTools(version as HaproxyVersion, masterSocket)));
