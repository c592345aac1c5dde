import assert from "node:assert/strict";
import { answerText } from "../../lib/cli/answer_text.ts";
import { paintChange, paintStatus } from "../../lib/cli/paint.ts";

const plain = { columns: 80, colours: false, cursor: true };
const colourful = { ...plain, colours: true };
const [bold, red, green, yellow] = [[1, 22], [31, 39], [32, 39], [33, 39]].map(
  ([on, off]) => (text: string) => `\x1b[${on}m${text}\x1b[${off}m`,
);

const servers = [
  { slot: 1, name: "pool_1_1", state: "ready", status: "UP" },
  { slot: 2, name: "pool_1_2", state: "drain", status: "DRAIN" },
];
const listed = {
  text: "a.test -> pool_1: 2 servers\n• pool_1_1 UP\n• pool_1_2 DRAIN\nMore with cursor.",
  structured: { domain: "a.test", pool: "pool_1", servers },
};

Deno.test("answerText: a list that the text gives in prose becomes a table; what stands around it stays", () => {
  assert.equal(
    answerText(listed, plain),
    "a.test -> pool_1: 2 servers\n" +
      "SLOT  NAME      STATE  STATUS\n" +
      "   1  pool_1_1  ready  UP\n" +
      "   2  pool_1_2  drain  DRAIN\n" +
      "More with cursor.",
  );
});

Deno.test("answerText: states have colours, the header stands out", () => {
  const [, header, first, second] = answerText(listed, colourful).split("\n");
  assert.equal(header, bold("SLOT  NAME      STATE  STATUS"));
  assert.equal(first, `   1  pool_1_1  ${green("ready")}  ${green("UP")}`);
  assert.equal(second, `   2  pool_1_2  ${yellow("drain")}  ${yellow("DRAIN")}`);
});

for (
  const [what, answer] of [
    ["a text that has a table already", {
      text: "NAME  UP\na       1",
      structured: { rows: [{ name: "a" }] },
    }],
    ["a row for which there is no line", {
      ...listed,
      structured: { servers: [...servers, servers[0]] },
    }],
    ["a line for which there is no row", { ...listed, structured: { servers: [servers[0]] } }],
    ["no list at all", { text: "• one", structured: { one: 1 } }],
    ["an empty list", { text: "none", structured: { servers: [] } }],
    ["lines that do not stand together", { text: "• a\n  problem\n• b", structured: { servers } }],
  ] as const
) {
  Deno.test(`answerText leaves ${what} as it is`, () => {
    assert.equal(answerText(answer, plain), answer.text);
  });
}

Deno.test("answerText: columns for which there is no room are named", () => {
  const wide = servers.map((server) => ({ ...server, file: "f".repeat(70) }));
  const shown = answerText({ ...listed, structured: { servers: wide } }, { ...plain, columns: 40 });
  assert.match(shown, /^No room for file: --json has all\.$/m);
  assert.doesNotMatch(shown, /fff/);
});

Deno.test("answerText: a long last column goes on below itself", () => {
  const text = `mcp      ok  ${"word ".repeat(20).trim()}`;
  const lines = answerText({ text, structured: {} }, plain).split("\n");
  assert.equal(lines.length, 2);
  assert.ok(lines.every((line) => line.length <= 80));
  assert.match(lines[1], /^ {13}word/);
  const prose = "a sentence that is long ".repeat(10);
  assert.equal(answerText({ text: prose, structured: {} }, plain), prose);
});

Deno.test("answerText: a dry run's lines are red where they go and green where they come", () => {
  const text =
    "Dry run, nothing was changed. It would be: Removed.\ndomains.map:\n  - a.test pool_1\n  + b.test pool_1";
  assert.deepEqual(answerText({ text, structured: {} }, colourful).split("\n").slice(1), [
    "domains.map:",
    red("  - a.test pool_1"),
    green("  + b.test pool_1"),
  ]);
});

Deno.test("answerText: what others have sent can't move the cursor", () => {
  assert.equal(
    answerText({ text: "L7RSP \x1b[2J\x1b]0;x\x07", structured: {} }, plain),
    "L7RSP \\x1b[2J\\x1b]0;x\\x07",
  );
});

for (
  const [line, painted] of [
    ["degraded", yellow("degraded")],
    ["a.test is down.", `a.test is ${red("down")}.`],
    ["ok.example is UP", `ok.example is ${green("UP")}`],
    ["GET /ready and a-ready, ready_2", "GET /ready and a-ready, ready_2"],
    ["not loaded", yellow("not loaded")],
    ["until 2027-01-01 (6 days)", `until 2027-01-01 (${red("6 days")})`],
    ["in 20 days", `in ${yellow("20 days")}`],
    ["in 21 days", "in 21 days"],
    ["expired -3 days", `${red("expired")} ${red("-3 days")}`],
  ] as const
) {
  Deno.test(`paintStatus: ${JSON.stringify(line)}`, () => {
    assert.equal(paintStatus(line), painted);
  });
}

Deno.test("paintChange leaves what neither goes nor comes", () => {
  assert.deepEqual(["HAProxy:", "  set server a/b state maint", "-", "a - b"].map(paintChange), [
    "HAProxy:",
    "  set server a/b state maint",
    "-",
    "a - b",
  ]);
});
