/**
 * A process that runs install.sh on machines of a test's own where something is in its way: a fault, a link of somebody's who
 * has taken over the agent's user, a HAProxy with a configuration of its own. It prints what it found. Run it in a network of
 * its own: ports 80, 8000 and 9999 have to be free.
 */
import { executable } from "./agent.ts";
import { startBackend } from "./backend.ts";
import { call, INSTALL, ok, putHaproxy } from "./install_machine.ts";
import { bootMachine } from "./machine/mod.ts";
import { request } from "./request.ts";

/** What goes wrong, and what somebody who has taken over the agent's user prepares. */
export interface FaultsReport {
  /** install.sh --haproxy without a HAProxy. */
  readonly withoutHaproxy: string;
  /** Beside a HAProxy of an ordinary user: mode and owner of the root, run/, certs/ and a key, before and after. */
  readonly besideUsersHaproxy: {
    readonly before: readonly string[];
    readonly after: readonly string[];
  };
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

/** A HAProxy that runs by /etc/haproxy/haproxy.cfg. */
export interface BesideReport {
  /** What install.sh said of it. */
  readonly lacks: readonly string[];
  readonly written: boolean;
  /** Once its configuration has all that. */
  readonly ready: boolean;
  readonly served: { readonly own: string; readonly agents: string };
  readonly checked: boolean;
  readonly reloadWay: string;
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
    "mv /usr/sbin/haproxy.away /usr/sbin/haproxy; mkdir -p /opt/haproxy/run /opt/haproxy/certs; " +
      "chown -R 65534:65534 /opt/haproxy; chmod 755 /opt/haproxy; chmod 700 /opt/haproxy/run; cp /bin/sleep /tmp/haproxy; " +
      "chmod 755 /tmp/haproxy; setpriv --reuid=65534 --regid=65534 --clear-groups /tmp/haproxy 1000 >/dev/null 2>&1 & " +
      "echo $! >/run/users.pid; until ps -C haproxy -o uid= | grep -q 65534; do sleep 0.05; done",
  );
  const folders = async () =>
    lines(
      await sh(
        "cd /opt/haproxy; stat -c '%n %a %u:%g' . run certs $(ls certs/*.pem); id -u haproxy-mcp || true",
      ),
    );
  const before = await folders();
  // So that it ends there.
  await machine.write("/run/systemctl.fails", "daemon-reload\n");
  await run();
  const after = await folders();
  await sh("kill $(cat /run/users.pid); rm /run/systemctl.fails");

  await machine.write("/run/systemctl.fails", "restart haproxy.service\n");
  let code = 0;
  const first = await calls(async () => ({ code } = await run("--haproxy")));
  await sh("rm /run/systemctl.fails");
  let printed = "";
  const second = await calls(async () => printed = ok(await run("--haproxy")));
  const halfway = { code, first, second, ready: /^Ready: /m.test(printed) };

  const pid = () => sh("cat /run/haproxy-mcp.service.pid");
  const older = await pid();
  await sh("echo '# older' >>/etc/systemd/system/haproxy-mcp.service");
  await machine.write("/run/systemctl.fails", "daemon-reload\n");
  await run();
  await sh("rm /run/systemctl.fails");
  ok(await run());
  const agentRestarted = older !== await pid();

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
    besideUsersHaproxy: { before, after },
    halfway,
    agentRestarted,
    owners,
    links,
  };
}

/** Whose shell has the settings; the agent's user may not read that file. */
const ROOT: readonly string[] = [];

/** A site of its own, to which the agent's lines are added. */
const CONFIG = (more: { global: string; defaults: string; frontend: string; end: string }) =>
  `global
    stats socket /run/own.sock mode 600 level admin
${more.global}
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
${more.defaults}
frontend web
    bind :80
    use_backend own if { req.hdr(host) own.test }
${more.frontend}
backend own
    http-request return status 200 content-type text/plain string own
${more.end}
`;

async function beside(): Promise<BesideReport> {
  await using machine = await bootMachine();
  await using backend = startBackend("one");
  const config = "/etc/haproxy/haproxy.cfg";
  await putHaproxy(machine);
  await machine.write(config, CONFIG({ global: "", defaults: "", frontend: "", end: "" }));
  const install = () =>
    machine.run("env", `HAPROXY_CONFIG_FILE=${config}`, "bash", INSTALL, "--binary", executable());
  const { stdout } = await install();
  const [, lacks = ""] = /^For full function .*:\n((?:- .*\n)*)/m.exec(stdout) ?? [];

  const pools = ok(
    await machine.run("sh", "-c", "haproxy-mcp init --print | sed -n '/^backend pool_1$/,$p'"),
  );
  const map = "map_str(/opt/haproxy/conf/domains.map)";
  await machine.write(
    config,
    CONFIG({
      global: `    stats socket ipv4@127.0.0.1:9999 level admin
    stats maxconn 50
    server-state-file /opt/haproxy/conf/servers.state`,
      defaults: `    load-server-state-from-file global
    default-server check inter 2s fall 2 rise 1 init-addr last,127.0.0.1`,
      frontend: `    http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)
    http-request set-var(txn.pool) var(txn.host),${map}
    http-request set-var(txn.pool) var(txn.host),regsub(^[^.]*,,),${map} if !{ var(txn.pool) -m found }
    use_backend %[var(txn.pool)] if { var(txn.pool) -m found }`,
      end: pools,
    }),
  );
  await machine.write(
    "/etc/default/haproxy",
    'EXTRAOPTS="-S /opt/haproxy/run/master.sock,mode,600,user,haproxy-mcp"\n',
  );
  ok(await machine.run("systemctl", "restart", "haproxy"));
  const again = ok(await install());
  const server = ["--ip", backend.address, "--http-port", String(backend.port)];
  await call(machine, "add_domain", ["--domain", "a.test", ...server]);
  const body = async (host: string) => (await request({ port: 80, host })).body;
  return {
    lacks: lacks.split("\n").filter(Boolean),
    written: (await machine.run("test", "-e", "/opt/haproxy/conf/haproxy.cfg")).code === 0,
    ready: /^Ready: /m.test(again) && !again.includes("For full function"),
    served: { own: await body("own.test"), agents: await body("a.test") },
    checked: (await call(machine, "check_config", [], ROOT)).valid,
    reloadWay: (await call(machine, "reload", ["--confirm"], ROOT)).way,
  };
}

console.log(JSON.stringify(await (Deno.args[0] === "faults" ? faults() : beside())));
