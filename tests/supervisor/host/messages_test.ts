import assert from "node:assert/strict";
import { HAPROXY_VERSIONS, haproxyBinary, type HaproxyVersion } from "../../support/haproxy.ts";
import { lastWords, parseMessages } from "../../../lib/supervisor/host/messages.ts";
import { readCheck } from "../../../lib/supervisor/host/check.ts";
import { run } from "../../../lib/supervisor/host/program.ts";
import { type Folder, haproxyConfig, makeFolder, never } from "./fixtures.ts";

async function check(version: HaproxyVersion, path: string) {
  const args = ["-c", "-V", "-f", path];
  const ended = await run(haproxyBinary(version), args, { signal: never, deadlineMs: 10_000 });
  return readCheck(ended, path);
}

/** What HAProxy says of a file with this content, the file's name and folder left out. */
async function errorsOf(version: HaproxyVersion, folder: Folder, content: string) {
  const path = await folder.file("haproxy.cfg", content);
  const { valid, errors } = await check(version, path);
  assert.equal(valid, false);
  return errors.map(({ file, line, message }) => [file === path ? line : file, message]);
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`each broken configuration is answered with its line: ${version}`, async () => {
    await using folder = await makeFolder();
    const errors = (content: string) => errorsOf(version, folder, content);

    assert.deepEqual(await errors(haproxyConfig("  bogus yes\n")), [
      [11, "unknown keyword 'bogus' in 'frontend' section"],
    ]);
    const missing = "  bind 127.0.0.1:1 ssl crt-list /nonexistent/list.txt\n";
    const [[line, message], ...others] = await errors(haproxyConfig(missing));
    assert.deepEqual([line, others], [11, []]);
    assert.match(`${message}`, /cannot open file '\/nonexistent\/list.txt' : No such file/);
    assert.deepEqual(await errors(haproxyConfig("  use_backend nosuch if TRUE\n")), [
      [undefined, "Proxy 'f': unable to find required use_backend: 'nosuch'."],
    ]);
    assert.deepEqual(await errors(haproxyConfig("  bind 127.0.0.999:80\n")), [
      [11, "'bind' : invalid address: '127.0.0.999' in '127.0.0.999:80'"],
    ]);
    assert.deepEqual(await errors(haproxyConfig().trimEnd()), [
      [13, "Missing LF on last line, file might have been truncated at position 23."],
    ]);
    const twice = await errors(`${haproxyConfig()}backend b\n`);
    assert.equal(twice[0][0], 14);
    assert.match(`${twice[0][1]}`, /^backend 'b' has the same name as backend 'b' declared at /);
    assert.deepEqual(await errors('global\n  "unclosed\n'), [
      [2, 'unmatched quote at position 3: "unclosed'],
    ]);
    const [[place, words]] = await errors(haproxyConfig("  bind [::1]:9999 ssl\n"));
    // A place in the middle of a message; addresses are no places.
    assert.equal(place, 11);
    assert.match(`${words}`, /no SSL certificate specified for bind '\[::1\]:9999' at \[/);
  });

  Deno.test(`what is no configuration is not valid either: ${version}`, async () => {
    await using folder = await makeFolder();
    const absent = `${folder.path}/absent.cfg`;
    assert.deepEqual(await check(version, absent), {
      valid: false,
      warnings: [],
      errors: [{
        message: `Cannot open configuration file/directory ${absent} : No such file or directory`,
      }],
    });
    assert.deepEqual((await check(version, await folder.file("empty.cfg", ""))).errors, [{
      message: "Configuration file has no error but will not start (no listener) => exit(2).",
    }]);
    await Deno.mkdir(`${folder.path}/folder`);
    assert.deepEqual((await check(version, `${folder.path}/folder`)).errors, [{
      message: `${folder.path}/folder holds no configuration file.`,
    }]);
    const bytes = `${folder.path}/bytes.cfg`;
    await Deno.writeFile(bytes, new Uint8Array([0x1b, 0x5b, 0x32, 0x4a, 0xff, 0x07, 0x0a]));
    const [{ line, message }] = (await check(version, bytes)).errors;
    assert.equal(line, 1);
    assert.match(message, /^unknown keyword '\ufffd\[2J\ufffd\ufffd' out of section/);
  });

  Deno.test(`a file's name is taken as HAProxy spells it: ${version}`, async () => {
    await using folder = await makeFolder();
    const path = await folder.file("a [1]:2 é.cfg", haproxyConfig("  bogus\n"));
    assert.deepEqual((await check(version, path)).errors, [
      { file: path, line: 11, message: "unknown keyword 'bogus' in 'frontend' section" },
    ]);
  });

  Deno.test(`a valid configuration may have warnings, each in one piece: ${version}`, async () => {
    await using folder = await makeFolder();
    const good = await folder.file("good.cfg", haproxyConfig());
    assert.deepEqual(await check(version, good), { valid: true, warnings: [], errors: [] });
    const config = haproxyConfig().replace(/ +timeout client.*\n/, "");
    const { valid, warnings, errors } = await check(version, await folder.file("warn.cfg", config));
    assert.deepEqual([valid, errors], [true, []]);
    assert.deepEqual(warnings, [{
      message:
        "missing timeouts for frontend 'f'. While not properly invalid, you will certainly " +
        "encounter various problems with such a configuration. To fix this, please ensure that " +
        "all following timeouts are set to a non-zero value: 'client', 'connect', 'server'.",
    }]);
  });
}

/** As 3.2.26 answers to `reload` with a port that somebody else has. */
const TAKEN = `Success=0
--
[NOTICE]   (14138) : Initializing new worker (14625)
[NOTICE]   (14625) : haproxy version is 3.2.26-1
[ALERT]    (14625) : Binding [live.cfg:9] for frontend f: protocol tcpv4: cannot bind socket (Address already in use) for [127.0.0.1:19555].
[ALERT]    (14625) : [haproxy.main()] Some protocols failed to start their listeners! Exiting.
[WARNING]  (14138) : Failed to load worker (14625) exited with code 1 (Exit)

`;

Deno.test("parseMessages tells what is wrong with the configuration from what went wrong at start", () => {
  assert.deepEqual(parseMessages(TAKEN), {
    errors: [{
      file: "live.cfg",
      line: 9,
      message: "Binding [live.cfg:9] for frontend f: protocol tcpv4: cannot bind socket " +
        "(Address already in use) for [127.0.0.1:19555].",
    }],
    warnings: [],
    aboutConfig: false,
  });
  const unknown = "[ALERT]    (1) : config : parsing [a.cfg:3] : unknown keyword 'x'\n";
  assert.equal(parseMessages(TAKEN + unknown).aboutConfig, true);
  // 3.4 says this without `config :`, and sums nothing up.
  assert.equal(parseMessages("[ALERT]    (1) : Proxy 'f': no such thing\n").aboutConfig, true);
});

Deno.test("parseMessages takes an alert after which HAProxy goes on for a warning", () => {
  const text =
    `[ALERT]    (1) : config : parsing [h.cfg:5] : 'maxconn' already specified. Continuing.
[ALERT]    (1) : config : parsing [h.cfg:9] : unknown keyword 'bogus' in 'frontend' section
`;
  const { errors, warnings } = parseMessages(text);
  assert.deepEqual(errors.map(({ line }) => line), [9]);
  assert.deepEqual(warnings, [
    { file: "h.cfg", line: 5, message: "'maxconn' already specified. Continuing." },
  ]);
});

Deno.test("parseMessages keeps a summary where there is nothing else", () => {
  const text = "[ALERT]    (1) : config : Fatal errors found in configuration.\n";
  const { errors, aboutConfig } = parseMessages(text);
  assert.deepEqual(errors, [{ message: "Fatal errors found in configuration." }]);
  assert.equal(aboutConfig, false);
});

Deno.test("parseMessages drops places in HAProxy's own code", () => {
  const text = "[WARNING]  (1) : [/usr/sbin/haproxy.main()] HAProxy was started as root.\n";
  assert.deepEqual(parseMessages(text).warnings, [{ message: "HAProxy was started as root." }]);
});

Deno.test("parseMessages finds nothing in other words", () => {
  for (const text of ["", "\n\n", "Error: no such container\n", "  indented\n[ALERT] no pid\n"]) {
    assert.deepEqual(parseMessages(text), { errors: [], warnings: [], aboutConfig: false });
  }
});

Deno.test("lastWords is the last line that says something, without HAProxy's prefixes", () => {
  assert.equal(lastWords("a\nError: b\n\n \n"), "Error: b");
  assert.equal(lastWords("[ALERT]    (7) : config : c\n"), "c");
  assert.equal(lastWords("\u001b[31mred\n"), "\ufffd[31mred");
  assert.equal(lastWords("\n"), "");
});
