import assert from "node:assert/strict";
import { type Candidates, candidatesFor, type CommandLine } from "../../lib/cli/candidates.ts";
import { commandLine } from "../../lib/cli/mod.ts";
import { commandsOf, shapeOf } from "../../lib/cli/shape.ts";
import { productRooms } from "../../lib/supervisor/room.ts";
import { tools } from "../../tools/mod.ts";

const program = commandLine(productRooms, () => {});
const line: CommandLine = {
  program: shapeOf(program),
  commands: commandsOf(program),
  tools: tools.map(({ definition }) => definition),
};
/** The last word is being typed. */
const after = (typed: string): Candidates => candidatesFor(line, typed.split(" "));
const words = (typed: string): string[] => {
  const found = after(typed);
  assert.equal(found.kind, "words", typed);
  return found.kind === "words" ? found.words.map(({ value }) => value) : [];
};

Deno.test("commands, by their beginning, each with what it is about; hidden ones are not offered", () => {
  assert.deepEqual(words("re"), ["restore"]);
  const all = words("");
  for (const name of ["serve", "stdio", "call", "tools", "init", "backup", "man"]) {
    assert.ok(all.includes(name), name);
  }
  assert.equal(all.includes("complete"), false);
  const found = after("backup");
  assert.ok(found.kind === "words" && /tar file/.test(found.words[0].about));
  assert.deepEqual(words("--v"), ["--version"]);
  assert.deepEqual(words("nothing such"), []);
});

Deno.test("a command's options; those that are given are not offered again", () => {
  assert.deepEqual(words("serve --p"), ["--port"]);
  assert.ok(words("backup --with-secrets --").includes("--force"));
  assert.equal(words("backup --with-secrets --").includes("--with-secrets"), false);
  assert.ok(words("licenses --").includes("--help"));
});

Deno.test("tools, with and without their common beginning", () => {
  assert.deepEqual(words("call haproxy_add_s"), ["haproxy_add_server", "haproxy_add_servers"]);
  assert.deepEqual(words("call add_s"), ["add_server", "add_servers"]);
  assert.equal(words("call ").length, tools.length);
  assert.equal(words("call ha").length, tools.length);
  assert.deepEqual(words("call --root /opt/haproxy haproxy_w"), ["haproxy_wait_drain"]);
});

Deno.test("a tool's parameters, then the options of call", () => {
  assert.deepEqual(words("call add_domain --wi"), ["--wildcard"]);
  assert.deepEqual(words("call add-domain --ht"), ["--http-port"]);
  const left = words("call haproxy_add_domain --domain a.test --wildcard --");
  assert.equal(left.includes("--domain") || left.includes("--wildcard"), false);
  assert.ok(left.includes("--ip") && left.includes("--json") && left.includes("--root"));
  assert.ok(words("call haproxy_add_domain ").includes("--domain"));
});

Deno.test("values that a schema names; a boolean needs none", () => {
  assert.deepEqual(words("call set_server_state --state "), ["ready", "drain", "maint"]);
  assert.deepEqual(words("call set_server_state --state d"), ["drain"]);
  assert.deepEqual(words("call set_server_state --state=d"), ["--state=drain"]);
  assert.deepEqual(words("call set_server_state --force --stat"), ["--state"]);
  assert.deepEqual(words("call set_server_state --force="), ["--force=true", "--force=false"]);
  assert.deepEqual(words("completions "), ["bash", "zsh", "fish"]);
  assert.deepEqual(words("call add_server --ip "), []);
});

Deno.test("domains, backends and slots are asked for, with what is typed already, and where", () => {
  assert.deepEqual(after("call add_server --root /srv/haproxy --domain a."), {
    kind: "ask",
    question: { argument: "domain", value: "a.", given: {} },
    before: "",
    flags: { root: "/srv/haproxy" },
  });
  assert.deepEqual(after("call remove_server --haproxy-port=9 --domain=a.test --slot="), {
    kind: "ask",
    question: { argument: "slot", value: "", given: { domain: "a.test" } },
    before: "--slot=",
    flags: { haproxyPort: "9" },
  });
  for (
    const [typed, argument] of [
      ["call add_domain --share-with ", "domain"],
      ["call add_domain --share_with ", "domain"],
      ["call get_connections --backend p", "backend"],
    ]
  ) {
    const found = after(typed);
    assert.equal(found.kind === "ask" && found.question.argument, argument, typed);
  }
});

Deno.test("files and folders are the shell's own", () => {
  for (const typed of ["restore ", "restore --offline a", "backup --force b"]) {
    assert.deepEqual(after(typed), { kind: "files" }, typed);
  }
  for (const typed of ["serve --root ", "call haproxy_health --root=/o"]) {
    assert.deepEqual(after(typed), { kind: "folders" }, typed);
  }
});

Deno.test("whatever is typed, there is an answer", () => {
  for (
    const typed of [
      "call nothing --",
      "call --",
      "call --nothing x --",
      "call add_domain --nothing=",
      "serve x y ",
      "- - -",
      "call -- --",
      "call haproxy_add_domain --__proto__=",
      "call haproxy_add_domain --constructor ",
    ]
  ) assert.ok(after(typed).kind, typed);
  assert.deepEqual(candidatesFor(line, []).kind, "words");
});
