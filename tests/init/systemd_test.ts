/** The units that `init --systemd` writes, as systemd 252 reads them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { defaultOptions } from "../../lib/init/options.ts";
import {
  agentUnit,
  EXPOSURE,
  haproxyDropIn,
  podmanDropIn,
  polkitRule,
} from "../../lib/init/systemd.ts";
import { placingCommands } from "../../lib/init/units.ts";
import { haproxyBinary } from "../support/haproxy.ts";
import { makeMachine } from "../support/units.ts";

const SYSTEM = "etc/systemd/system";
const options = defaultOptions("/opt/haproxy");

Deno.test("systemd takes the unit as it is, and rates it at most 1.5", async () => {
  await using machine = await makeMachine({
    [`${SYSTEM}/haproxy-mcp.service`]: agentUnit(options),
  });
  assert.equal(await machine.verify("haproxy-mcp.service"), "");
  const exposure = await machine.exposure("haproxy-mcp.service");
  assert.ok(exposure <= 1.5);
  assert.equal(exposure, EXPOSURE.unit, "the text says another number");
});

Deno.test("the podman way's drop-in says what it costs, and systemd takes it", async () => {
  const dropIn = podmanDropIn(options);
  await using machine = await makeMachine({
    [`${SYSTEM}/haproxy-mcp.service`]: agentUnit(options),
    [`${SYSTEM}/haproxy-mcp.service.d/podman.conf`]: dropIn,
  });
  assert.equal(await machine.verify("haproxy-mcp.service"), "");
  const exposure = await machine.exposure("haproxy-mcp.service");
  assert.equal(exposure, EXPOSURE.podman, "the text says another number");
  assert.ok(dropIn.includes(`rates the unit ${exposure} with it, ${EXPOSURE.unit} without`));
});

Deno.test("a unit with a slip is one that systemd complains about", async () => {
  await using machine = await makeMachine({
    [`${SYSTEM}/haproxy-mcp.service`]: agentUnit(options).replace("ProtectSystem", "ProtectSytem"),
  });
  assert.match(await machine.verify("haproxy-mcp.service"), /Unknown key 'ProtectSytem'/);
});

Deno.test("the unit comes again after 70, and waits for a person after 2 and 4", () => {
  const unit = agentUnit(options);
  assert.match(unit, /^Restart=always$/m);
  assert.match(unit, /^StartLimitIntervalSec=0$/m);
  assert.match(unit, /^RestartPreventExitStatus=2 4$/m);
});

Deno.test("the unit comes after HAProxy's and does not need it", () => {
  const unit = agentUnit(options);
  assert.match(unit, /^After=.*\bhaproxy\.service$/m);
  assert.doesNotMatch(unit, /^(Requires|BindsTo|PartOf|Wants)=.*haproxy\.service/m);
});

for (
  const [root, lines] of [
    ["/srv/edge", ["ReadWritePaths=/srv/edge", "ProtectHome=yes"]],
    ["/home/ops/haproxy", ["BindPaths=/home/ops/haproxy", "ProtectHome=tmpfs"]],
    ["/root/haproxy", ["BindPaths=/root/haproxy", "ProtectHome=tmpfs"]],
    ["/tmp/haproxy", ["BindPaths=/tmp/haproxy", "ProtectHome=yes"]],
    ["/rootless", ["ReadWritePaths=/rootless", "ProtectHome=yes"]],
  ] as const
) {
  Deno.test(`the unit sees its root, ${root}, whatever else it hides`, async () => {
    const unit = agentUnit({ root });
    for (const line of lines) assert.ok(unit.includes(`\n${line}\n`), line);
    await using machine = await makeMachine({ [`${SYSTEM}/haproxy-mcp.service`]: unit });
    assert.equal(await machine.verify("haproxy-mcp.service"), "");
    assert.ok(await machine.exposure("haproxy-mcp.service") <= 1.5);
  });
}

Deno.test("with the drop-in Debian's haproxy.service starts our haproxy.cfg, with a socket of the agent's", async () => {
  const shipped = join(haproxyBinary("3.2"), "../../root/usr/lib/systemd/system/haproxy.service");
  const unit = await Deno.readTextFile(shipped);
  // What the drop-in counts on.
  assert.match(unit, /^ExecStart=\S+ -Ws -f \$CONFIG .*\$EXTRAOPTS$/m);
  await using machine = await makeMachine({
    [`${SYSTEM}/haproxy.service`]: unit,
    [`${SYSTEM}/haproxy.service.d/haproxy-mcp.conf`]: haproxyDropIn(options),
  });
  assert.equal(await machine.verify("haproxy.service"), "");
  assert.ok(
    haproxyDropIn(options).includes(
      `"CONFIG=/opt/haproxy/conf/haproxy.cfg" "EXTRAOPTS=-S /opt/haproxy/run/master.sock,mode,600,user,haproxy-mcp"`,
    ),
  );
});

/** What polkit asks the rule about. */
const asked = (unit: string, verb: string, user: string, id = "manage-units") => ({
  action: {
    id: `org.freedesktop.systemd1.${id}`,
    lookup: (name: string) => ({ unit, verb })[name],
  },
  subject: { user },
});

Deno.test("polkit's rule allows the agent's user to reload haproxy.service, and nobody anything else", () => {
  type Rule = (action: unknown, subject: unknown) => unknown;
  const rules: Rule[] = [];
  const polkit = { addRule: (rule: Rule) => rules.push(rule), Result: { YES: "yes" } };
  new Function("polkit", polkitRule(options))(polkit);
  const [rule] = rules;
  const answer = ({ action, subject }: ReturnType<typeof asked>) => rule(action, subject);
  assert.equal(answer(asked("haproxy.service", "reload", "haproxy-mcp")), "yes");
  for (
    const other of [
      asked("haproxy.service", "stop", "haproxy-mcp"),
      asked("sshd.service", "reload", "haproxy-mcp"),
      asked("haproxy.service", "reload", "www-data"),
      asked("haproxy.service", "reload", "haproxy-mcp", "manage-unit-files"),
    ]
  ) assert.equal(answer(other), undefined);
});

Deno.test("each file says in its first comment how it gets to its place", () => {
  const units = "/opt/haproxy/systemd";
  for (
    const [text, command] of [
      [agentUnit(options), `cp ${units}/haproxy-mcp.service /etc/systemd/system/`],
      [
        podmanDropIn(options),
        `cp ${units}/haproxy-mcp.service.d/podman.conf /etc/systemd/system/haproxy-mcp.service.d/`,
      ],
      [polkitRule(options), `cp ${units}/50-haproxy-mcp.rules /etc/polkit-1/rules.d/`],
      [
        haproxyDropIn(options),
        `cp ${units}/haproxy.service.d/haproxy-mcp.conf /etc/systemd/system/haproxy.service.d/`,
      ],
    ]
  ) assert.ok(placingCommands(text).includes(command), command);
});
