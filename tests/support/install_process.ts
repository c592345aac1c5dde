/**
 * A process that installs the agent on a machine of a test's own, uses it, and takes it away again; it prints what it
 * found. Run it in a network of its own: ports 80, 443, 8000 and 9999 have to be free.
 */
import { join } from "node:path";
import { makeOriginal, UNIT } from "../takeover/original.ts";
import { executable } from "./agent.ts";
import { startBackend } from "./backend.ts";
import { haproxyBinary } from "./haproxy.ts";
import { bootMachine, type Ended, type Machine } from "./machine/mod.ts";
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
    /** Of files that root's calls have made. */
    readonly owners: readonly string[];
    readonly doctor: readonly string[];
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

/** What goes wrong, and what somebody who has taken over the agent's user prepares. */
export interface FaultsReport {
  /** install.sh --haproxy without a HAProxy. */
  readonly withoutHaproxy: string;
  /** With --dry-run beside a HAProxy of an ordinary user: the commands that name the root itself or run/. */
  readonly besideUsersHaproxy: readonly string[];
  /** HAProxy's restart fails at first: what systemctl was asked for in the first run, and in the second. */
  readonly halfway: {
    readonly code: number;
    readonly first: readonly string[];
    readonly second: readonly string[];
    readonly ready: boolean;
  };
  /** The run before has put another unit, and failed then: whether the agent is another process now. */
  readonly agentRestarted: boolean;
  /** `user:group` by name, after an update. */
  readonly owners: Readonly<Record<string, string>>;
  /** Links of the agent's user to files of root's: what install.sh said, and what of these files is to be seen. */
  readonly links: readonly { readonly refused: string; readonly seen: string }[];
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

const INSTALL = new URL("../../scripts/install.sh", import.meta.url).pathname;

function ok(ended: Ended): string {
  if (ended.code === 0) return ended.stdout;
  throw new Error(`ended with ${ended.code}: ${ended.stderr}${ended.stdout}`);
}

/** HAProxy as Debian's package leaves it. */
async function putHaproxy(machine: Machine): Promise<void> {
  const binary = haproxyBinary("3.2");
  const unit = join(binary, "../../root/usr/lib/systemd/system/haproxy.service");
  await machine.write("/usr/sbin/haproxy", `#!/bin/sh\nexec '${binary}' "$@"\n`, 0o755);
  await machine.write("/usr/lib/systemd/system/haproxy.service", await Deno.readTextFile(unit));
}

const AS_AGENT = ["runuser", "-u", "haproxy-mcp", "--"];

async function call(
  machine: Machine,
  tool: string,
  args: readonly string[] = [],
  as: readonly string[] = AS_AGENT,
) {
  const [program, ...words] = [...as, "haproxy-mcp", "call", `haproxy_${tool}`, "--json", ...args];
  return JSON.parse(ok(await machine.run(program, ...words)));
}

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
  const { checks } = JSON.parse((await machine.run("haproxy-mcp", "doctor", "--json")).stdout);
  return {
    readOnly: JSON.parse(stdout).error.code,
    owners: ok(await machine.run("stat", "-c", "%U:%G", ...made)).trim().split("\n"),
    doctor: (checks as { status: string; name: string; message: string }[])
      .filter(({ status }) => status === "fault" || status === "warning")
      .map(({ status, name, message }) => `${status} ${name}: ${message}`),
  };
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
  return { installed, agent, shell, reload, again, uninstalled };
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

async function faults(): Promise<FaultsReport> {
  await using machine = await bootMachine();
  const run = (...args: string[]) =>
    machine.run("bash", INSTALL, "--binary", executable(), ...args);
  const sh = async (script: string) => ok(await machine.run("sh", "-c", script)).trim();
  const asAgent = (script: string) =>
    machine.run("runuser", "-u", "haproxy-mcp", "--", "sh", "-c", script);
  const lines = (text: string) => text.split("\n").filter(Boolean);
  /** What systemctl was asked for that changes something, meanwhile. */
  async function calls(act: () => Promise<unknown>): Promise<readonly string[]> {
    const before = (await machine.systemctlCalls()).length;
    await act();
    return (await machine.systemctlCalls()).slice(before).filter((words) =>
      !words.startsWith("is-failed")
    );
  }

  await putHaproxy(machine);
  await sh("mv /usr/sbin/haproxy /usr/sbin/haproxy.away");
  const withoutHaproxy = (await run("--haproxy")).stderr;
  await sh(
    "mv /usr/sbin/haproxy.away /usr/sbin/haproxy; mkdir -p /opt/haproxy/run; cp /bin/sleep /tmp/haproxy; " +
      "chmod 755 /tmp/haproxy; setpriv --reuid=65534 --clear-groups /tmp/haproxy 1000 >/dev/null 2>&1 & " +
      "echo $! >/run/users.pid; until ps -C haproxy -o uid= | grep -q 65534; do sleep 0.05; done",
  );
  const dry = await run("--dry-run");
  const besideUsersHaproxy = lines(dry.stdout).filter((line) =>
    /^\+ ch(own|mod) .*\/opt\/haproxy(\/run)?$/.test(line)
  );
  await sh("kill $(cat /run/users.pid)");

  await machine.write("/run/systemctl.fails", "restart haproxy.service\n");
  let code = 0;
  const first = await calls(async () => ({ code } = await run("--haproxy")));
  await sh("rm /run/systemctl.fails");
  let printed = "";
  const second = await calls(async () => printed = ok(await run("--haproxy")));
  const halfway = { code, first, second, ready: /^Ready: /m.test(printed) };

  const pid = () => sh("cat /run/haproxy-mcp.service.pid");
  const before = await pid();
  await sh("echo '# older' >>/etc/systemd/system/haproxy-mcp.service");
  await machine.write("/run/systemctl.fails", "daemon-reload\n");
  await run();
  await sh("rm /run/systemctl.fails");
  ok(await run());
  const agentRestarted = before !== await pid();

  await sh("cd /opt/haproxy/conf; touch filter.lua; mkdir own; touch own/more.lua");
  await asAgent("rm /opt/haproxy/certs/default.pem /opt/haproxy/conf/servers.state");
  ok(await run());
  const names = ["conf/filter.lua", "conf/own/more.lua", "conf/haproxy.cfg", "conf/domains.map"]
    .concat("conf/servers.state", "certs/default.pem", "systemd/haproxy-mcp.service");
  const owners = Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, await sh(`stat -c %U:%G /opt/haproxy/${name}`)]),
    ),
  );

  await machine.write("/root/secret.json", '{"key": {"1": "of-root"}}\n', 0o600);
  await machine.write("/root/secret.env", "SECRET=of-root\n", 0o600);
  const links: { refused: string; seen: string }[] = [];
  for (
    const [name, target] of [
      ["servers.json", "secret.json"],
      ["mcp-token.env", "secret.env"],
      ["more.pem", "secret.env"],
    ]
  ) {
    await asAgent(
      `cd /opt/haproxy/conf; mv -f ${name} ${name}.away; ln -s /root/${target} ${name}`,
    );
    const { code, stderr } = await run();
    const seen = await sh(
      `stat -c '%a %U' /root/${target}; grep -rl of-root /opt/haproxy/conf/*.original* /opt/haproxy/certs || true`,
    );
    links.push({ refused: `${code} ${stderr}`, seen });
    await asAgent(`cd /opt/haproxy/conf; rm ${name}; mv ${name}.away ${name}`);
  }
  return {
    withoutHaproxy,
    besideUsersHaproxy,
    halfway,
    agentRestarted,
    owners,
    links,
  };
}

const REPORTS = { install, takeover: takeOver, faults };
console.log(JSON.stringify(await REPORTS[Deno.args[0] as keyof typeof REPORTS]()));
