/** What main sees of the machine for doctor, on the real one. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { accessOf } from "../../../lib/supervisor/host/access.ts";
import { diskSpace } from "../../../lib/supervisor/host/disk.ts";
import { probe } from "../../../lib/supervisor/host/http_probe.ts";
import { installedHaproxy } from "../../../lib/supervisor/host/installed.ts";
import { readTree } from "../../../lib/supervisor/host/tree.ts";
import { unitUser } from "../../../lib/supervisor/host/unit_user.ts";
import { lookAtTokenFile } from "../../../lib/supervisor/token_file.ts";
import { HAPROXY_VERSIONS, haproxyBinary } from "../../support/haproxy.ts";
import { makeFolder, never } from "./fixtures.ts";

Deno.test("diskSpace: room and files of a file system, also with odd paths", async () => {
  await using folder = await makeFolder();
  const odd = join(folder.path, "-k $(touch x); 'a b'");
  await Deno.mkdir(odd);
  const { freeBytes, freeFiles } = await diskSpace(odd, never);
  assert.ok(freeBytes > 0);
  assert.ok(freeFiles === undefined || freeFiles > 0);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(odd)), []);
});

Deno.test("accessOf asks the kernel for each path, and runs none of them", async () => {
  await using folder = await makeFolder();
  const odd = await folder.file("$(touch made) `touch made`", "x");
  await Deno.chmod(odd, 0o400);
  const [file, place, missing] = await accessOf([odd, folder.path, `${folder.path}/no`], never);
  assert.deepEqual(file, {
    path: odd,
    readable: true,
    // Root may write whatever the mode.
    writable: Deno.uid() === 0,
    executable: false,
  });
  assert.ok(place.readable && place.writable && place.executable);
  assert.ok(!missing.readable && !missing.writable);
  assert.deepEqual((await Array.fromAsync(Deno.readDir(folder.path))).length, 1);
});

Deno.test("readTree tells owners and modes, follows no link, and looks into no folder that is left out", async () => {
  await using folder = await makeFolder();
  const { path } = folder;
  await Deno.mkdir(join(path, "run"));
  await folder.file("run/secret", "");
  await Deno.chmod(await folder.file("a", ""), 0o640);
  await Deno.symlink("/etc", join(path, "link"));
  const { entries, missing } = await readTree(path, [join(path, "run")]);
  assert.equal(missing, undefined);
  const seen = entries.map((entry) => [entry.path.slice(path.length), entry.folder, entry.special]);
  assert.deepEqual(seen.toSorted(), [
    ["", true, false],
    ["/a", false, false],
    ["/link", false, true],
    ["/run", true, false],
  ]);
  const file = entries.find((entry) => entry.path.endsWith("/a"))!;
  assert.deepEqual([file.mode, file.uid], [0o640, Deno.uid()]);
});

Deno.test("readTree says what it has not seen, and sees what lies higher first", async () => {
  await using folder = await makeFolder();
  const { path } = folder;
  for (const name of ["a", "b", "c"]) {
    await Deno.mkdir(join(path, name));
    await folder.file(`${name}/file`, "");
  }
  const { entries, missing } = await readTree(path, [], 4);
  assert.deepEqual(
    entries.map((entry) => entry.path.slice(path.length)).toSorted(),
    ["", "/a", "/b", "/c"],
  );
  assert.equal(missing, "there are more than 4 files and folders");
  assert.deepEqual((await readTree(path, [], 7)).missing, undefined);
});

Deno.test({
  name: "readTree says which folder this user may not list",
  ignore: Deno.uid() === 0,
  async fn() {
    await using folder = await makeFolder();
    const closed = join(folder.path, "closed");
    await Deno.mkdir(closed, { mode: 0o100 });
    assert.equal((await readTree(folder.path, [])).missing, `${closed} can't be listed`);
  },
});

Deno.test("accessOf takes more paths than one program takes as its arguments", async () => {
  await using folder = await makeFolder();
  const paths = Array.from({ length: 4_001 }, (_, i) => `${folder.path}/no${i}`);
  paths[3_999] = folder.path;
  const found = await accessOf(paths, never);
  assert.deepEqual(
    found.filter(({ readable }) => readable),
    [{ path: folder.path, readable: true, writable: true, executable: true }],
  );
  assert.equal(found.length, 4_001);
});

const shown = (...lines: readonly string[]) =>
  `printf '%s\\n' ${lines.map((l) => `'${l}'`).join(" ")}`;

Deno.test("unitUser: whom systemd runs the agent of this root as, and nobody for another root", async () => {
  await using folder = await makeFolder();
  const { path } = folder;
  const ask = async (...lines: readonly string[]) => {
    await folder.program("systemctl", shown(...lines));
    return await unitUser(path, path, never);
  };
  await folder.program("id", shown("uid=997(agent) gid=996(agents) groups=996(agents),1(more)"));
  const loaded = ["LoadState=loaded", `Environment=PATH=/bin HAPROXY_ROOT=${path} A=b`];
  assert.deepEqual(await ask(...loaded, "User=agent"), { uid: 997, gid: 996 });
  assert.deepEqual(await folder.argumentsOf("id"), ["agent"]);
  assert.deepEqual(await folder.argumentsOf("systemctl"), [
    "show",
    "--property=LoadState,User,Environment",
    "haproxy-mcp.service",
  ]);
  assert.deepEqual(await ask(...loaded, "User="), { uid: 0, gid: 0 });
  for (
    const [lines, why] of [
      [["LoadState=not-found", "User=", "Environment="], /there is no haproxy-mcp\.service/i],
      [["LoadState=loaded", "User=agent", "Environment=HAPROXY_ROOT=/"], /is for another root/],
      [["LoadState=loaded", "User=agent", "Environment="], /is for another root/],
      [[...loaded, "User=-x"], /names no user/],
    ] as const
  ) {
    await assert.rejects(ask(...lines), { code: "UNSUPPORTED", message: why });
  }
  await folder.program("id", "exit 1");
  await assert.rejects(ask(...loaded, "User=agent"), /the user agent, who is not there/);
  await folder.program("systemctl", "exit 1");
  await assert.rejects(unitUser(path, path, never), /No systemd answers/);
});

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: installedHaproxy tells version and features`, async () => {
    const installed = await installedHaproxy(haproxyBinary(version), never);
    assert.ok(installed.version.startsWith(version));
    assert.ok(installed.features.includes("OPENSSL"));
  });
}

Deno.test("installedHaproxy tells another program from HAProxy", async () => {
  await assert.rejects(installedHaproxy("/bin/true", never), { code: "UNSUPPORTED" });
});

Deno.test("probe asks with the Host that it is told, and tells who speaks no HTTP", async () => {
  let asked = "";
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      asked = request.headers.get("host") ?? "";
      return new Response("hello", { status: 403 });
    },
  );
  const address = { host: "127.0.0.1", port: server.addr.port };
  const answer = await probe(address, { path: "/x", as: "mcp.example.com", signal: never });
  assert.equal(answer?.status, 403);
  assert.match(answer.text, /hello/);
  assert.equal(asked, `mcp.example.com:${address.port}`);

  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const greeting = (async () => {
    using connection = await listener.accept();
    await connection.write(new TextEncoder().encode("SSH-2.0\r\n"));
  })();
  const other = { host: "127.0.0.1", port: listener.addr.port };
  const stranger = await probe(other, { path: "/", signal: never }).catch(() => undefined);
  assert.equal(stranger, undefined);
  await greeting;
  listener.close();
});

Deno.test("probe gives up with its signal where nobody answers", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = { host: "127.0.0.1", port: listener.addr.port };
  const late = probe(address, { path: "/", signal: AbortSignal.timeout(50) });
  await assert.rejects(late, { name: "TimeoutError" });
  listener.close();
});

Deno.test("lookAtTokenFile makes no file, and says what the start would say", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "tokens");
  assert.equal(await lookAtTokenFile(path), "missing");
  await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  await Deno.writeTextFile(path, "MCP_TOKEN=x\n", { mode: 0o600 });
  assert.deepEqual(await lookAtTokenFile(path), { uid: Deno.uid() });
  await Deno.chmod(path, 0o640);
  await assert.rejects(lookAtTokenFile(path), /MCP_TOKEN_FILE=.*only its owner can read.*640/);
});
