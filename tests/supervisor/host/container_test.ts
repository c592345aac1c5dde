import assert from "node:assert/strict";
import { checkCommand, readInspect } from "../../../lib/supervisor/host/container.ts";
import { inspectJson } from "./inspect.ts";

const command = (
  words: Parameters<typeof inspectJson>[0],
  configFile = "/srv/lb/conf/haproxy.cfg",
) => checkCommand(readInspect(inspectJson(words), "haproxy"), configFile);

Deno.test("readInspect: a running container has no problem", () => {
  const container = readInspect(inspectJson(), "haproxy");
  assert.deepEqual([container.status, container.problem], ["running", undefined]);
});

Deno.test("readInspect: any other state is a problem", () => {
  for (const status of ["exited", "paused", "created"]) {
    const container = readInspect(inspectJson({ status }), "haproxy");
    assert.deepEqual([container.status, container.problem], [
      status,
      `container haproxy is ${status}`,
    ]);
  }
});

Deno.test("readInspect: JSON of another shape is an unknown state", () => {
  for (
    const json of [
      "",
      "{",
      "[]",
      "{}",
      "null",
      "[null]",
      '[{"State":"running"}]',
      '[{"State":{"Status":7}}]',
    ]
  ) {
    const { status, problem, commands, mounts } = readInspect(json, "haproxy");
    assert.equal(status, "unknown", json);
    assert.equal(problem, "podman does not say how container haproxy is");
    assert.deepEqual([commands, mounts], [[], []]);
  }
});

Deno.test("checkCommand takes the files of the container's own command, in their order", () => {
  const check = ["haproxy", "-c", "-V"];
  for (
    const [path, args, expected] of [
      ["haproxy", ["-W", "-f", "/c/a.cfg", "-f", "/c/b"], ["-f", "/c/a.cfg", "-f", "/c/b"]],
      ["docker-entrypoint.sh", ["haproxy", "-f", "/c/a.cfg"], ["-f", "/c/a.cfg"]],
      // The image's entry point puts haproxy before options.
      ["docker-entrypoint.sh", ["-f", "/c/a.cfg"], ["-f", "/c/a.cfg"]],
      ["/run/podman-init", ["--", "haproxy", "-f", "/c/a.cfg"], ["-f", "/c/a.cfg"]],
      ["haproxy", ["-f", "/c/a.cfg", "--", "/c/b", "/c/c"], [
        "-f",
        "/c/a.cfg",
        "-f",
        "/c/b",
        "-f",
        "/c/c",
      ]],
      ["haproxy", ["-C", "/c", "-L", "me", "-dr", "-f", "a"], [
        "-C",
        "/c",
        "-L",
        "me",
        "-dr",
        "-f",
        "a",
      ]],
      // What sets HAProxy to work has no part in a check.
      ["haproxy", ["-W", "-db", "-S", "/run/m.sock", "-p", "/pid", "-f", "a"], ["-f", "a"]],
    ] as const
  ) {
    assert.deepEqual(command({ path, args }), [...check, ...expected], args.join(" "));
  }
});

Deno.test("checkCommand runs the program that the container's command names", () => {
  const path = "/usr/local/sbin/haproxy";
  assert.equal(command({ path, args: ["-f", "/c/a.cfg"] })?.[0], path);
});

Deno.test("checkCommand falls back to Config.Cmd, then to HAPROXY_CONFIG_FILE by the innermost mount", () => {
  const mounts = [
    { Type: "bind", Source: "/srv", Destination: "/outer" },
    { Type: "bind", Source: "/srv/lb/conf", Destination: "/etc/haproxy" },
    { Type: "bind", Source: "/srv/lb/con", Destination: "/no" },
  ];
  const file = ["haproxy", "-c", "-V", "-f", "/etc/haproxy/haproxy.cfg"];
  assert.deepEqual(command({ path: "", args: [], cmd: ["haproxy", "-f", "/c"] })?.at(-1), "/c");
  assert.deepEqual(command({ path: "sh", args: ["-c", "haproxy -f /x"], cmd: [], mounts }), file);
  const whole = [{ Source: "/srv/lb/conf/haproxy.cfg", Destination: "/h.cfg" }];
  assert.deepEqual(command({ path: "sh", args: [], cmd: [], mounts: whole })?.at(-1), "/h.cfg");
  assert.deepEqual(command({ path: "sh", args: [], cmd: [], mounts: [] }), undefined);
});

Deno.test("checkCommand passes on nothing that podman or HAProxy could take for an option or a second line", () => {
  const mounts: [] = [];
  for (
    const [path, args] of [
      ["haproxy", ["-f", "-D"]],
      ["haproxy", ["-f", ""]],
      ["haproxy", ["-f"]],
      ["haproxy", ["-f", "/a\n/b"]],
      ["haproxy", ["--", "-x"]],
      ["-x/haproxy", ["-f", "/a"]],
    ] as const
  ) {
    assert.equal(command({ path, args, cmd: [], mounts }), undefined, args.join(" "));
  }
});
