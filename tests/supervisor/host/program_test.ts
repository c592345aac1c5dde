import assert from "node:assert/strict";
import { findProgram, run, type RunOptions } from "../../../lib/supervisor/host/program.ts";
import { makeFolder, never } from "./fixtures.ts";

const options = (more: Partial<RunOptions> = {}) => ({
  signal: never,
  deadlineMs: 10_000,
  ...more,
});

Deno.test("findProgram takes the first file of that name in PATH that may be executed", async () => {
  await using one = await makeFolder();
  await using two = await makeFolder();
  await one.file("podman", "");
  await Deno.mkdir(`${one.path}/systemctl`);
  const podman = await two.program("podman", "");
  const systemctl = await two.program("systemctl", "");
  const path = `/nonexistent:${one.path}:${two.path}`;
  assert.equal(findProgram("podman", path), podman);
  assert.equal(findProgram("systemctl", path), systemctl);
  assert.equal(findProgram("haproxy", path), undefined);
});

Deno.test("findProgram passes over relative entries of PATH, and an empty PATH", () => {
  const relative = "./tests/support:tests/support::.";
  for (const path of ["", ":", relative]) assert.equal(findProgram("sh", path), undefined);
  assert.equal(findProgram("sh", `${relative}:/bin`), "/bin/sh");
});

Deno.test("run answers exit code, stdout and stderr", async () => {
  const args = ["-c", "echo out; echo err >&2; exit 3"];
  assert.deepEqual(await run("/bin/sh", args, options()), {
    code: 3,
    stdout: "out\n",
    stderr: "err\n",
  });
});

Deno.test("run gives a program no stdin, no environment but PATH and what it is told, and the folder /", async () => {
  await using folder = await makeFolder();
  const program = await folder.program("show", "cat; pwd");
  const { stdout } = await run(program, ["a b", "$HOME"], options({ env: { HOME: "/h" } }));
  assert.equal(stdout, "/\n");
  assert.deepEqual(await folder.argumentsOf("show"), ["a b", "$HOME"]);
  // The shell that is the stand-in adds two of its own.
  const own = (await folder.environmentOf("show")).filter((line) =>
    !/^(PWD|_|SHLVL|OLDPWD)=/.test(line)
  );
  assert.deepEqual(own.sort(), [
    "HOME=/h",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  ]);
});

Deno.test("run throws UNSUPPORTED for what can't be started, and says why", async () => {
  await using folder = await makeFolder();
  const plain = await folder.file("plain", "#!/bin/sh\n");
  const script = await folder.file("script", "#!/nonexistent/sh\n");
  await Deno.chmod(script, 0o755);
  for (
    const [program, message] of [
      [`${folder.path}/absent`, /absent can't be started: there is no such program\.$/],
      [folder.path, /can't be started: it is no executable file\.$/],
      [plain, /plain can't be started: it is no executable file\.$/],
      [script, /script can't be started: the interpreter that it names is missing\.$/],
    ] as const
  ) {
    await assert.rejects(run(program, [], options()), { code: "UNSUPPORTED", message });
  }
});

Deno.test("run keeps 256 kB of an endless output, and the program is not blocked by the rest", async () => {
  const args = ["-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo end >&2"];
  const { stdout, stderr } = await run("/bin/sh", args, options());
  assert.equal(stdout.length, 256 * 1024);
  assert.equal(stderr, "end\n");
});

Deno.test("run ends a program after its deadline, also one that ignores SIGTERM", async () => {
  await using folder = await makeFolder();
  const body = `trap '' TERM; echo $$ >'${folder.path}/pid'; while :; do sleep 0.05; done`;
  const program = await folder.program("deaf", body);
  await assert.rejects(run(program, [], options({ deadlineMs: 500 })), {
    code: "TIMEOUT",
    message: `${program} did not end within 0.5 s.`,
  });
  const pid = (await Deno.readTextFile(`${folder.path}/pid`)).trim();
  const alive = await run("/bin/sh", ["-c", `kill -0 ${pid}`], options());
  assert.equal(alive.code, 1);
});

Deno.test("run ends a program when its call is cancelled, and throws the reason", async () => {
  const controller = new AbortController();
  const running = run("/bin/sleep", ["60"], options({ signal: controller.signal }));
  controller.abort(new DOMException("gone", "AbortError"));
  await assert.rejects(running, { name: "AbortError", message: "gone" });
  await assert.rejects(run("/bin/true", [], options({ signal: controller.signal })), {
    name: "AbortError",
  });
});

Deno.test("run does not wait for what the program left behind with its output open", async () => {
  const args = ["-c", "sleep 30 & echo $!"];
  const { code, stdout } = await run("/bin/sh", args, options());
  assert.equal(code, 0);
  Deno.kill(Number(stdout), "SIGKILL");
});
