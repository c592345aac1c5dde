import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { answerText, curlLine } from "../../scripts/demo/curl.ts";
import { each, includes, only, share } from "../../scripts/demo/expect.ts";
import { type Haproxy, startHaproxy } from "../../scripts/demo/haproxy.ts";
import { invitation } from "../../scripts/demo/invitation.ts";
import { openReport, painter, row, wrap } from "../../scripts/demo/report.ts";
import { startTraffic } from "../../scripts/demo/traffic.ts";
import { startBackend } from "../support/backend.ts";

const checkout = new URL("../../", import.meta.url).pathname;

/** A demo whose temporary folder is its own, so that whatever it leaves behind is known by that path. */
async function startDemo(...args: readonly string[]) {
  const temp = await Deno.makeTempDir({ prefix: "demo-test-" });
  const process = new Deno.Command("/bin/bash", {
    args: ["scripts/demo.sh", ...args],
    cwd: checkout,
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", HOME: temp, TMPDIR: temp },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let stdout = "";
  const read = (async () => {
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) stdout += text;
  })();
  const stderr = new Response(process.stderr).text();
  let ended = false;
  void process.status.then(() => ended = true);
  return {
    kill: (signal: Deno.Signal) => process.kill(signal),
    async shows(text: string): Promise<void> {
      while (!stdout.includes(text)) {
        if (ended) assert.fail(`the demo ended without "${text}":\n${stdout}${await stderr}`);
        await delay(20);
      }
    },
    async end() {
      const { code, signal } = await process.status;
      await read;
      return { code, signal, stdout, stderr: await stderr };
    },
    /** Processes that know the folder, and what is in it. */
    async remains(): Promise<string[]> {
      // grep reads the path: in its arguments it would find itself.
      const look = new Deno.Command("/bin/sh", {
        args: ["-c", "cd /proc; grep -lF -f - [0-9]*/cmdline [0-9]*/environ 2>&-"],
        clearEnv: true,
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const pattern = look.stdin.getWriter();
      await pattern.write(new TextEncoder().encode(temp));
      await pattern.close();
      const { stdout } = await look.output();
      const files = new TextDecoder().decode(stdout).split("\n").filter(Boolean);
      return [...files, ...Array.from(Deno.readDirSync(temp), ({ name }) => name)];
    },
    [Symbol.asyncDispose]: () => Deno.remove(temp, { recursive: true }),
  };
}

Deno.test("demo.sh --once ends with 0, every answer as it should be, and leaves nothing behind", async () => {
  await using demo = await startDemo("--once");
  const { code, stdout, stderr } = await demo.end();
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, stdout);
  assert.match(stdout, /^\d+ steps in \S+ s: every answer as it should be\n$/m);
  assert.match(stdout, /pid \d+\.\n.* \d+ requests of a second client .* 0 failed\.\n/);
  assert.match(stdout, /started again\.\n.* → backend-3 ×4\n/);
  assert.ok(!stdout.includes("\x1b"), "colours are for terminals");
  const tooWide = stdout.split("\n").filter((line) => line.length > 100);
  assert.deepEqual(tooWide, []);
  assert.deepEqual(await demo.remains(), []);
});

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test(`demo.sh ended by ${signal} in its middle leaves nothing behind`, async () => {
    await using demo = await startDemo("--once");
    await demo.shows("haproxy_add_server");
    demo.kill(signal);
    const { code, stderr } = await demo.end();
    assert.deepEqual({ code, stderr }, { code: status, stderr: "" });
    assert.deepEqual(await demo.remains(), []);
  });
}

Deno.test("demo.sh ended by kill -9 in its middle leaves nothing behind", async () => {
  await using demo = await startDemo("--once");
  await demo.shows("haproxy_add_server");
  demo.kill("SIGKILL");
  assert.equal((await demo.end()).signal, "SIGKILL");
  for (const end = Date.now() + 15_000; (await demo.remains()).length > 0; await delay(50)) {
    assert.ok(Date.now() < end, `${await demo.remains()} remain`);
  }
});

Deno.test("demo.sh stays up with lines to copy, none of which holds the token", async () => {
  await using demo = await startDemo();
  await demo.shows("A site:\n");
  demo.kill("SIGINT");
  const { stdout } = await demo.end();
  assert.match(
    stdout,
    /claude mcp add --transport http haproxy http:\/\/127\.0\.0\.1:\d+\/mcp \\\n/,
  );
  assert.match(stdout, /call haproxy_list_domains\n/);
  assert.ok(!/[A-Za-z0-9_-]{43}/.test(stdout), "the token is 43 characters of base64url");
});

Deno.test("demo.sh refuses an argument that it does not know", async () => {
  await using demo = await startDemo("--twice");
  const { code, stderr } = await demo.end();
  assert.deepEqual({ code, stderr }, { code: 1, stderr: "demo.sh: usage: demo.sh [--once]\n" });
  assert.deepEqual(await demo.remains(), []);
});

Deno.test("startHaproxy takes other ports when one was lost", async () => {
  const [haproxy, agent] = [Deno.env.get("HAPROXY_3_2"), Deno.env.get("HAPROXY_MCP")];
  assert.ok(haproxy && agent, "HAPROXY_3_2 and HAPROXY_MCP are not set: run scripts/test.sh");
  const root = await Deno.makeTempDir();
  const random = Math.random;
  // From those between freePort's, below 32000, and the kernel's for outgoing connections, from 32768: nobody else's.
  const [http, https] = [32_000, 32_384].map((lowest) => lowest + Math.floor(random() * 384));
  // freePort looks for TCP: that UDP is taken, HAProxy finds out.
  const taken = createSocket("udp4").bind(https, "127.0.0.1");
  await once(taken, "listening");
  const draws = [http, https].map((port) => (port - 10_000 + 0.5) / 22_000);
  Math.random = () => draws.shift() ?? random();
  let started: Haproxy | undefined;
  try {
    started = await startHaproxy({ root, haproxy, agent, sh: "/bin/sh", onLost: () => {} });
    assert.notEqual(started.ports.https, https);
    assert.equal(draws.length, 0);
    assert.match(await Deno.readTextFile(`${root}/haproxy.log`), /cannot bind/i);
    assert.ok(await started.workerPid());
  } finally {
    await started?.kill9();
    Math.random = random;
    taken.close();
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("startTraffic counts each answer that is not right, and is silent while hushed", async () => {
  await using backend = startBackend("backend-1");
  const traffic = startTraffic(backend.port, (body) => body === "backend-2\n");
  traffic.join("shop.example");
  while (backend.requests < 3) await delay(5);
  await traffic.hush(async () => {
    const before = backend.requests;
    await delay(50);
    assert.equal(backend.requests, before);
  });
  const hushed = backend.requests;
  while (backend.requests === hushed) await delay(5);
  const { requests, failures } = await traffic.stop();
  assert.equal(requests, backend.requests);
  assert.deepEqual(failures, Array(requests).fill("shop.example: 200 backend-1"));
});

Deno.test("only, each and share hold for the answers that their sentences name, and no others", () => {
  assert.ok(only("a").holds(["a", "a"]));
  assert.ok(!only("a").holds(["a", "b"]));
  assert.ok(each("a", "b").holds(["b", "a", "b"]));
  assert.ok(!each("a", "b").holds(["a", "a"]));
  assert.ok(!each("a", "b").holds(["a", "b", "c"]));
  const threeToOne = share("a", "b", 3);
  assert.ok(threeToOne.holds([..."aaabaaab"]));
  assert.ok(!threeToOne.holds([..."abababab"]));
  assert.ok(!threeToOne.holds([..."aaaaaaaa"]));
});

Deno.test("includes asks for all that is wanted and leaves the rest open", () => {
  assert.ok(includes({ a: 1, b: { c: [1] }, d: 2 }, { a: 1, b: { c: [1] } }));
  assert.ok(!includes({ a: 1 }, { a: 1, b: undefined, c: 1 }));
  assert.ok(!includes({ a: [1, 2] }, { a: [1] }));
  assert.ok(!includes(undefined, { a: 1 }));
});

Deno.test("answerText is the backend's name, or the status with the page's title", () => {
  assert.equal(answerText(200, "backend-1\n", "1.1"), "backend-1");
  assert.equal(answerText(200, "backend-1\n", "2"), "backend-1 over HTTP/2");
  assert.equal(answerText(404, "<title>Unknown host</title>", "1.1"), "404 Unknown host");
  assert.equal(answerText(503, "", "1.1"), "503");
});

Deno.test("the lines to copy quote what a shell would take apart", () => {
  const ports = { http: 1, https: 2, api: 3 };
  assert.equal(
    curlLine({ host: "shop.example", path: "/slow?ms=1" }, ports),
    "curl -H 'Host: shop.example' 'http://127.0.0.1:1/slow?ms=1'",
  );
  const agent = { url: "http://127.0.0.1:4/mcp", tokenFile: "/r/token" };
  const text = invitation({ root: "/r", agent, ports, agentPath: "/it's here/haproxy-mcp" });
  assert.ok(text.includes("  '/it'\\''s here/haproxy-mcp' call haproxy_list_domains\n"), text);
});

Deno.test("a report counts what is wrong, says what was expected, and colours only where it may", () => {
  const print = (colour: boolean) => {
    let text = "";
    const report = openReport((part) => text += part, painter(colour));
    report.step(true, "haproxy_list_domains", "", 12.3);
    report.command("curl http://a/", row(["b", "b"]), "only c");
    return { text, wrong: report.wrong, steps: report.steps };
  };
  const { text, wrong, steps } = print(false);
  assert.deepEqual({ wrong, steps }, { wrong: 1, steps: 1 });
  assert.equal(
    text,
    "✓   12 ms  haproxy_list_domains\n" +
      "           $ curl http://a/ → b ×2\n" +
      "           ✗ expected only c\n",
  );
  assert.ok(print(true).text.startsWith("\x1b[32m✓\x1b[0m "));
  assert.deepEqual(wrap("one two three", 7), ["one two", "three"]);
});
