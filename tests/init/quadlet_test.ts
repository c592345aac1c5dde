/** HAProxy's quadlet, as Podman's generator reads it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { defaultOptions, type InitOptions } from "../../lib/init/options.ts";
import { haproxyContainer, IMAGE_ACCOUNT } from "../../lib/init/quadlet.ts";
import { generated, makeMachine } from "../support/units.ts";

const options: InitOptions = {
  ...defaultOptions("/opt/haproxy"),
  account: IMAGE_ACCOUNT,
  container: { name: "haproxy", masterPort: 9998 },
};

Deno.test("Podman's generator takes the quadlet without a complaint, and systemd what it makes of it", async () => {
  const { unit, complaints } = await generated("haproxy.container", haproxyContainer(options));
  assert.equal(complaints, "");
  await using machine = await makeMachine({ "etc/systemd/system/haproxy.service": unit });
  assert.equal(await machine.verify("haproxy.service"), "");
});

Deno.test("the quadlet has a master CLI on the loopback, and both halves of a reload", async () => {
  const { unit } = await generated("haproxy.container", haproxyContainer(options));
  assert.match(
    unit,
    /^ExecStart=.* haproxy -W -db -S 127\.0\.0\.1:9998 -f \/opt\/haproxy\/conf\/haproxy\.cfg$/m,
  );
  const reloads = unit.match(/^ExecReload=.*$/gm);
  assert.deepEqual(reloads, [
    "ExecReload=/usr/bin/podman exec haproxy haproxy -c -q -f /opt/haproxy/conf/haproxy.cfg",
    "ExecReload=/usr/bin/podman kill --signal USR2 haproxy",
  ]);
});

Deno.test("the quadlet mounts folders, for reading, under their own names, and never the agent's data", () => {
  const volumes = (changes: Partial<InitOptions> = {}) =>
    haproxyContainer({ ...options, ...changes }).match(/^Volume=.*$/gm);
  const mount = (folder: string) => `Volume=${folder}:${folder}:ro,z`;
  const [conf, certs, run] = ["conf", "certs", "run"].map((name) => join("/opt/haproxy", name));
  assert.deepEqual(volumes(), [conf, certs, run].map(mount));
  assert.deepEqual(
    volumes({ map: "/opt/haproxy/maps/a.map", serverState: "/opt/haproxy/conf/b/c.state" }),
    [conf, certs, run, "/opt/haproxy/maps"].map(mount),
  );
});

Deno.test("the quadlet's container gets no capability but those that HAProxy uses", async () => {
  const { unit } = await generated("haproxy.container", haproxyContainer(options));
  const [, caps] = /--cap-drop all((?: --cap-add \S+)*)/.exec(unit) ?? [];
  assert.deepEqual(caps.match(/cap_\w+/g), [
    "cap_net_bind_service",
    "cap_setuid",
    "cap_setgid",
    "cap_sys_chroot",
    "cap_dac_override",
    "cap_kill",
  ]);
  for (const flag of ["--security-opt=no-new-privileges", "--read-only", "--network host"]) {
    assert.ok(unit.includes(` ${flag} `), flag);
  }
});
