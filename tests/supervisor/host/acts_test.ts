/** Check and reload with stand-ins for podman, systemctl and haproxy in a PATH of their own. */
import assert from "node:assert/strict";
import { call, makeFolder } from "./fixtures.ts";
import { acts, NO_BINARY, noContainer, podman } from "./stand_ins.ts";

const alert = "[ALERT]    (7) : config : parsing [/c/haproxy.cfg:3] : unknown keyword 'x'";
const errors = [{ file: "/c/haproxy.cfg", line: 3, message: "unknown keyword 'x'" }];

Deno.test("checkConfig runs HAPROXY_BINARY on HAPROXY_CONFIG_FILE", async () => {
  await using folder = await makeFolder();
  const binary = await folder.program("lts", `echo "${alert}" >&2; exit 1`);
  const wanted = { valid: false, by: "binary", warnings: [], errors };
  const env = { HAPROXY_CONFIG_FILE: "/c/haproxy.cfg" };
  for (const name of [binary, "lts"]) {
    const { checkConfig } = acts(folder, { ...env, HAPROXY_BINARY: name });
    assert.deepEqual(await checkConfig(undefined, call), wanted);
    assert.deepEqual(await folder.argumentsOf("lts"), ["-c", "-V", "-f", "/c/haproxy.cfg"]);
  }
});

Deno.test("checkConfig takes the first haproxy of PATH where HAPROXY_BINARY is not set", async () => {
  await using folder = await makeFolder();
  await folder.program("haproxy", "echo Configuration file is valid");
  await podman(folder, {}, `exec) exit 1 ;;`);
  assert.deepEqual(await acts(folder).checkConfig(undefined, call), {
    valid: true,
    by: "binary",
    warnings: [],
    errors: [],
  });
  assert.equal(await folder.argumentsOf("podman"), undefined);
});

Deno.test("checkConfig says something about every failure of HAProxy", async () => {
  await using folder = await makeFolder();
  const notice = "[NOTICE]   (7) : haproxy version is 3.2";
  for (
    const [body, message] of [
      [`echo '${notice}' >&2; exit 4`, "haproxy version is 3.2"],
      [`echo '${notice}' >&2; echo no reason >&2; kill -SEGV $$`, "no reason"],
    ]
  ) {
    await folder.program("haproxy", body);
    const { valid, errors } = await acts(folder).checkConfig(undefined, call);
    assert.deepEqual([valid, errors], [false, [{ message }]]);
  }
});

Deno.test("checkConfig answers UNSUPPORTED where a program does not answer as HAProxy does", async () => {
  await using folder = await makeFolder();
  for (const body of ["", "exit 4", "echo no reason; exit 1", "echo valid"]) {
    const program = await folder.program("haproxy", body);
    await assert.rejects(acts(folder).checkConfig(undefined, call), {
      code: "UNSUPPORTED",
      message: `${program} does not answer as HAProxy does.`,
      hint: /HAPROXY_BINARY/,
    });
  }
});

Deno.test("checkConfig runs in the container what the container's own command starts", async () => {
  await using folder = await makeFolder();
  await podman(folder, {}, `exec) echo "${alert}" >&2; exit 1 ;;`);
  const user = { HOME: "/home/me", XDG_RUNTIME_DIR: "/run/user/7" };
  const env = { ...NO_BINARY, HAPROXY_CONTAINER: "lb" };
  assert.deepEqual(await acts(folder, env, user).checkConfig(undefined, call), {
    valid: false,
    by: "podman",
    warnings: [],
    errors,
  });
  assert.deepEqual(
    await folder.argumentsOf("podman"),
    ["exec", "lb", "haproxy", "-c", "-V", "-f", "/usr/local/etc/haproxy/haproxy.cfg"],
  );
  const environment = (await folder.environmentOf("podman")).filter((line) =>
    !/^(PWD|_|SHLVL|OLDPWD)=/.test(line)
  );
  // Nothing else of ours: no token, no LD_PRELOAD, no CONTAINER_HOST.
  assert.deepEqual(environment.sort(), [
    "HOME=/home/me",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "XDG_RUNTIME_DIR=/run/user/7",
  ]);
});

Deno.test("checkConfig answers UNSUPPORTED where nobody can check, and names HAPROXY_BINARY", async () => {
  await using folder = await makeFolder();
  const plain = await folder.file("plain", "");
  const none = "The configuration can't be checked: ";
  const look = (env: Record<string, string>) => acts(folder, env).checkConfig(undefined, call);
  const refusal = (message: string) => ({
    code: "UNSUPPORTED",
    message: `${none}${message}.`,
    hint: /HAPROXY_(BINARY|CONTAINER)/,
  });
  await assert.rejects(look(NO_BINARY), refusal("there is no podman in PATH"));
  await assert.rejects(
    look({ HAPROXY_BINARY: "lts" }),
    refusal("HAPROXY_BINARY=lts is in no folder of PATH"),
  );
  await assert.rejects(
    look({ HAPROXY_BINARY: plain }),
    refusal(`HAPROXY_BINARY=${plain} is no executable file`),
  );
  await noContainer(folder);
  await assert.rejects(look(NO_BINARY), refusal("podman knows no container haproxy"));
  await podman(folder, { status: "exited" });
  await assert.rejects(look(NO_BINARY), refusal("container haproxy is exited"));
  await podman(folder, { path: "sh", args: [], cmd: [] });
  await assert.rejects(look(NO_BINARY), {
    code: "UNSUPPORTED",
    message: /none of its mounts holds/,
  });
  await podman(
    folder,
    {},
    `exec) echo 'Error: executable file haproxy not found' >&2; exit 127 ;;`,
  );
  await assert.rejects(look(NO_BINARY), {
    code: "UNSUPPORTED",
    message:
      "podman can't run haproxy in container haproxy: Error: executable file haproxy not found",
    hint: /HAPROXY_BINARY/,
  });
});

Deno.test("checkConfig ends with its call", async () => {
  await using folder = await makeFolder();
  await folder.program("haproxy", "exec sleep 60");
  const signal = AbortSignal.timeout(200);
  await assert.rejects(acts(folder).checkConfig(undefined, { signal }), { name: "TimeoutError" });
});

Deno.test("reload by podman sends the container SIGUSR2 and confirms nothing", async () => {
  await using folder = await makeFolder();
  await podman(folder);
  const env = { HAPROXY_CONTAINER: "lb" };
  for (const HAPROXY_RELOAD of ["auto", "podman"]) {
    assert.deepEqual(await acts(folder, { ...env, HAPROXY_RELOAD }).reload(undefined, call), {
      way: "podman",
      confirmed: false,
      warnings: [],
    });
    assert.deepEqual(await folder.argumentsOf("podman"), ["kill", "--signal", "USR2", "lb"]);
  }
});

Deno.test("reload by podman answers RELOAD_FAILED with podman's words", async () => {
  await using folder = await makeFolder();
  await podman(folder, {}, `kill) echo 'Error: can only kill running containers' >&2; exit 125 ;;`);
  await assert.rejects(acts(folder, NO_BINARY).reload(undefined, call), {
    code: "RELOAD_FAILED",
    message: "podman did not signal container haproxy: Error: can only kill running containers",
  });
});

Deno.test("reload by systemd reloads the unit where it is active", async () => {
  await using folder = await makeFolder();
  await noContainer(folder);
  await folder.program("systemctl", "");
  for (const HAPROXY_RELOAD of ["auto", "systemd"]) {
    assert.deepEqual(await acts(folder, { HAPROXY_RELOAD }).reload(undefined, call), {
      way: "systemd",
      confirmed: false,
      warnings: [],
    });
    assert.deepEqual(
      await folder.argumentsOf("systemctl"),
      ["--no-ask-password", "reload", "haproxy.service"],
    );
  }
});

Deno.test("reload by systemd answers what systemctl says, CONFIG_INVALID where that is HAProxy's", async () => {
  await using folder = await makeFolder();
  const env = { HAPROXY_RELOAD: "systemd" };
  const reload = async (words: string) => {
    await folder.program("systemctl", `[ $1 = is-active ] && exit; echo "${words}" >&2; exit 1`);
    return await acts(folder, env).reload(undefined, call);
  };
  await assert.rejects(reload("Failed to reload haproxy.service: Access denied"), {
    code: "RELOAD_FAILED",
    message: "HAProxy was not reloaded: Failed to reload haproxy.service: Access denied",
    hint: /journalctl -u haproxy.service/,
  });
  await assert.rejects(reload(alert), {
    code: "CONFIG_INVALID",
    message: "HAProxy refuses its configuration: /c/haproxy.cfg:3: unknown keyword 'x'",
    details: { errors, warnings: [] },
  });
});

Deno.test("reload answers UNSUPPORTED where no way works, and says why of each", async () => {
  await using folder = await makeFolder();
  await noContainer(folder);
  await folder.program("systemctl", "exit 3");
  const master = `HAPROXY_MASTER is not set, and there is no ${folder.path}/root/run/master.sock`;
  await assert.rejects(acts(folder).reload(undefined, call), {
    code: "UNSUPPORTED",
    message: `HAProxy can't be reloaded from here: master: ${master}; podman: podman knows no ` +
      "container haproxy; systemd: haproxy.service is not active.",
    details: {
      tried: [
        { way: "master", problem: master },
        { way: "podman", problem: "podman knows no container haproxy" },
        { way: "systemd", problem: "haproxy.service is not active" },
      ],
    },
  });
});

Deno.test("reload uses the way that HAPROXY_RELOAD names and no other", async () => {
  await using folder = await makeFolder();
  await podman(folder);
  await folder.program("systemctl", "");
  await assert.rejects(acts(folder, { HAPROXY_RELOAD: "master" }).reload(undefined, call), {
    code: "UNSUPPORTED",
    message:
      /^HAProxy can't be reloaded from here: master: .* HAPROXY_RELOAD=master allows no other/,
  });
  assert.equal(await folder.argumentsOf("podman"), undefined);
  assert.equal(await folder.argumentsOf("systemctl"), undefined);
});
