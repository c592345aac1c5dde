/** At a terminal nobody is asked to grant a room more, and so nobody can. */
import assert from "node:assert/strict";
import { startServe, testExecutable } from "../support/agent.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { record } from "../support/evidence/record.ts";

/** Runs what follows it on a terminal of its own, whose text comes out at stderr. */
const ON_A_TERMINAL = ["sh", "-c", `exec script -qefc "$0 $*" /dev/null >&2`];
const QUESTION = /Deno requests|Allow\?|\[y\/n/;

Deno.test("on a terminal a room that asks for a permission is denied at once, and nobody is asked", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const program = testExecutable();
  await using agent = await startServe(haproxy, { program, wrapper: ON_A_TERMINAL });
  const caller = await agent.connect();
  const target = {
    root: haproxy.root,
    apiPort: haproxy.options.api.port,
    otherPort: 9,
    nobodysPort: 9,
    outside: "/etc/passwd",
    link: "/etc/passwd",
    pid: 1,
    kinds: ["questions", "programs"],
  };
  for (const [room, tool] of [["tools", "test_probe"], ["front", "test_probe_front"]]) {
    const started = performance.now();
    const results = await caller.client.callTool({ name: tool, arguments: target }).then(
      ({ structuredContent }) => Object.entries(structuredContent as Record<string, string>),
      (cause) => [["the call", String(cause)]],
    );
    const escaped = results.filter(([, result]) => result !== "DENIED");
    const asked = QUESTION.test(agent.log());
    record("Escapes", `${room} room`, {
      tried: results.length,
      denied: results.length - escaped.length,
      escaped: escaped.length + Number(asked),
    });
    assert.ok(results.length > 20);
    assert.deepEqual(escaped, []);
    assert.equal(asked, false, agent.log());
    // A question waits for its answer: each attempt would take its two seconds.
    assert.ok(performance.now() - started < 5_000);
  }
});

Deno.test("on a terminal a question would be seen: Deno without --no-prompt asks one", async () => {
  const command = `exec script -qefc '"$DENO" run --quiet "$PROGRAM"' /dev/null >&2`;
  const child = new Deno.Command("sh", {
    args: ["-c", command],
    env: { DENO: Deno.execPath(), PROGRAM: `data:,Deno.readTextFileSync("/etc/passwd")` },
    stdin: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (QUESTION.test(text)) break;
  }
  child.kill("SIGTERM");
  await child.stdin.close();
  await child.status;
  assert.match(text, QUESTION);
});
