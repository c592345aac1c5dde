/**
 * A process that installs the agent on a machine of a test's own, uses it, and takes it away again; it prints what it
 * found. Run it in a network of its own: ports 80, 443, 8000 and 9999 have to be free.
 */
import { makeOriginal, UNIT } from "../takeover/original.ts";
import { executable } from "./agent.ts";
import { startBackend } from "./backend.ts";
import { call, INSTALL, ok, putHaproxy } from "./install_machine.ts";
import { bootMachine, type Machine } from "./machine/mod.ts";
import { request } from "./request.ts";

/** By what was done. */
export interface InstallReport {
  readonly installed: { readonly ready: boolean; readonly served: string };
  /** Who the agent's process is. */
  readonly agent: {
    readonly user: string;
    readonly capabilities: string;
    /** Deeds of its user's, and those that it could not do. */
    readonly tried: readonly string[];
    readonly forbidden: readonly string[];
  };
  /** What root does by the shell. */
  readonly shell: {
    /** The error's code with MCP_READ_ONLY=true in the unit's settings. */
    readonly readOnly: string;
    /** Who the audit log says it was. */
    readonly who: string;
    /** Of files that root's calls have made. */
    readonly owners: readonly string[];
    readonly doctor: readonly string[];
  };
  /** A restore by root, then one of what it had kept, which lies in the agent's folder. */
  readonly restored: {
    readonly domains: readonly string[];
    readonly settings: readonly string[];
    readonly owners: readonly string[];
    /** What the second one says that it left alone. */
    readonly kept: readonly string[];
  };
  readonly reload: { readonly way: string; readonly served: string };
  /** The agent's pid stayed, as nothing had changed. */
  readonly again: { readonly samePid: boolean };
  readonly uninstalled: {
    readonly agentRuns: boolean;
    readonly served: string;
    readonly kept: string;
  };
}

export interface TakeOverReport {
  /** `domain pool`. */
  readonly domains: readonly string[];
  readonly servers: readonly string[];
  /** Settings of the original's unit. */
  readonly settings: readonly string[];
  readonly systemctl: readonly string[];
  readonly originalUnit: string;
  /** What was /usr/local/bin/haproxy-mcp before. */
  readonly originalProgram: string;
}

/** What would make root, or HAProxy as root, do more than the agent may. */
const DEEDS = [
  "mv /opt/haproxy/conf/domains.map /opt/haproxy/conf/haproxy.cfg",
  "rm -f /opt/haproxy/conf/haproxy.cfg",
  "cat /opt/haproxy/conf/haproxy-mcp.env",
  "mv /opt/haproxy/systemd /opt/haproxy/elsewhere",
  "touch /opt/haproxy/systemd/haproxy-mcp.service.d/more.conf",
  "touch /opt/haproxy/run/file",
  "mv /opt/haproxy/conf /opt/haproxy/elsewhere",
];

/** As pip puts it there. */
const PROGRAM = "#!/usr/bin/python3\nfrom haproxy_mcp.server import main\nmain()\n";

/** What root's shell does with the settings and in the folders of an agent that is another user. */
async function shellOfRoot(machine: Machine): Promise<InstallReport["shell"]> {
  const settings = "/opt/haproxy/conf/haproxy-mcp.env";
  const add = [
    "haproxy-mcp",
    "call",
    "haproxy_add_domain",
    "--json",
    "--domain",
    "b.test",
  ] as const;
  ok(await machine.run("sh", "-c", `echo MCP_READ_ONLY=true >>${settings}`));
  const { stdout } = await machine.run(...add);
  ok(await machine.run("sed", "-i", "/^MCP_READ_ONLY/d", settings));
  await call(machine, "save_state", [], []);
  const made = ["/opt/haproxy/data/servers.state", "/opt/haproxy/conf/domains.map"];
  const last = JSON.parse(
    ok(await machine.run("tail", "-n", "1", "/opt/haproxy/data/audit.jsonl")),
  );
  const { checks } = JSON.parse((await machine.run("haproxy-mcp", "doctor", "--json")).stdout);
  return {
    readOnly: JSON.parse(stdout).error.code,
    who: ok(await machine.run("id", "-nu", last.who.replace("uid ", ""))).trim(),
    owners: ok(await machine.run("stat", "-c", "%U:%G", ...made)).trim().split("\n"),
    doctor: (checks as { status: string; name: string; message: string }[])
      .filter(({ status }) => status === "fault" || status === "warning")
      .map(({ status, name, message }) => `${status} ${name}: ${message}`),
  };
}

async function restoreByRoot(machine: Machine): Promise<InstallReport["restored"]> {
  const settings = "/opt/haproxy/conf/haproxy-mcp.env";
  const run = async (...words: string[]) => ok(await machine.run("haproxy-mcp", ...words));
  const domains = async () =>
    (await call(machine, "list_domains")).domains.map(({ domain }: { domain: string }) => domain);
  const isDebug = async () =>
    (await machine.run("grep", "-c", "^LOG_LEVEL=DEBUG", settings)).stdout.trim();
  await run("backup", "/root/b.tar", "--with-secrets", "--force");
  await call(machine, "add_domain", ["--domain", "later.test"]);
  ok(await machine.run("sh", "-c", `echo LOG_LEVEL=DEBUG >>${settings}`));
  const found = { domains: [] as string[], settings: [] as string[] };
  const look = async () => {
    found.domains.push((await domains()).join(" "));
    found.settings.push(await isDebug());
  };
  await look();
  await run("restore", "/root/b.tar");
  await look();
  const before = "/opt/haproxy/data/backup-before-restore.tar";
  const made = [settings, "/opt/haproxy/conf/domains.map", before];
  const owners = ok(await machine.run("stat", "-c", "%U", ...made)).trim().split("\n");
  const { kept } = JSON.parse(await run("restore", before, "--json"));
  await look();
  await run("restore", "/root/b.tar");
  return { ...found, owners, kept };
}

async function install(): Promise<InstallReport> {
  await using machine = await bootMachine();
  await using backend = startBackend("one");
  await putHaproxy(machine);
  const run = () => machine.run("bash", INSTALL, "--haproxy", "--binary", executable());
  const served = async () => (await request({ port: 80, host: "a.test" })).body;
  const pid = async () => (await machine.run("cat", "/run/haproxy-mcp.service.pid")).stdout.trim();

  const first = ok(await run());
  const server = ["--ip", backend.address, "--http-port", String(backend.port)];
  await call(machine, "add_domain", ["--domain", "a.test", ...server]);
  const installed = { ready: /^Ready: /m.test(first), served: await served() };

  const status = ok(
    await machine.run("sh", "-c", `cat /proc/$(cat /run/haproxy-mcp.service.pid)/status`),
  );
  const forbidden: string[] = [];
  for (const deed of DEEDS) {
    const { code } = await machine.run("runuser", "-u", "haproxy-mcp", "--", "sh", "-c", deed);
    if (code !== 0) forbidden.push(deed);
  }
  const agent = {
    user: ok(await machine.run("id", "-nu", /^Uid:\t(\d+)/m.exec(status)![1])).trim(),
    capabilities: /^CapBnd:\t(\w+)/m.exec(status)![1],
    tried: DEEDS,
    forbidden,
  };

  const shell = await shellOfRoot(machine);
  const restored = await restoreByRoot(machine);
  const { way } = await call(machine, "reload", ["--confirm"]);
  const reload = { way, served: await served() };
  const before = await pid();
  ok(await run());
  const again = { samePid: before === await pid() };

  ok(await machine.run("bash", INSTALL, "--uninstall"));
  const uninstalled = {
    agentRuns: (await machine.run("kill", "-0", before)).code === 0,
    served: await served(),
    kept: ok(await machine.run("cat", "/opt/haproxy/conf/domains.map")),
  };
  return { installed, agent, shell, restored, reload, again, uninstalled };
}

async function takeOver(): Promise<TakeOverReport> {
  await using machine = await bootMachine();
  await putHaproxy(machine);
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    await makeOriginal(folder);
    ok(await machine.run("cp", "-a", folder, "/opt/haproxy"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  await machine.write("/etc/systemd/system/haproxy-mcp.service", UNIT);
  await machine.write("/usr/local/bin/haproxy-mcp", PROGRAM, 0o755);
  ok(await machine.run("bash", INSTALL, "--binary", executable(), "--", "--force"));
  const listed = await call(machine, "list_domains", ["--include-wildcards"]);
  type Listed = {
    domain: string;
    pool: string;
    servers: { name: string; ip: string; http_port: number }[];
  };
  const domains = listed.domains as Listed[];
  return {
    domains: domains.map(({ domain, pool }) => `${domain} ${pool}`),
    servers: [
      ...new Set(
        domains.flatMap(({ servers }) =>
          servers.map(({ name, ip, http_port }) => `${name} ${ip}:${http_port}`)
        ),
      ),
    ],
    settings: ok(await machine.run("grep", "^[A-Za-z]", "/opt/haproxy/conf/haproxy-mcp.env")).trim()
      .split("\n"),
    systemctl: (await machine.systemctlCalls()).filter((words) => !words.startsWith("is-failed")),
    originalUnit: ok(await machine.run("cat", "/etc/systemd/system/haproxy-mcp.service.original")),
    originalProgram: ok(await machine.run("cat", "/usr/local/bin/haproxy-mcp.original")),
  };
}

console.log(JSON.stringify(await (Deno.args[0] === "install" ? install() : takeOver())));
