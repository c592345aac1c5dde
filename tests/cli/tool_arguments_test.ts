import assert from "node:assert/strict";
import { parseToolArguments } from "../../lib/cli/tool_arguments.ts";
import { toolHelp, toolTable } from "../../lib/cli/tool_text.ts";
import type { ToolDefinition } from "../../lib/tool_definition.ts";
import { tools } from "../../tools/mod.ts";

const definition: ToolDefinition = {
  name: "haproxy_try",
  title: "Try",
  description: "Takes one of each.",
  group: "servers",
  inputSchema: {
    type: "object",
    properties: {
      domain: { type: "string", description: "Which domain." },
      http_port: { type: "integer", default: 80 },
      force: { type: "boolean", default: false },
      state: { type: "string", enum: ["ready", "drain"] },
      list: { type: "array" },
      servers: { anyOf: [{ type: "string" }, { type: "array" }] },
    },
    required: ["domain"],
  },
  outputSchema: { type: "object" },
  annotations: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
  deadlineMs: 1_000,
  deadlineFromTimeout: false,
};

const parse = (words: string[], json?: string) => parseToolArguments(definition, words, json);

for (
  const [words, args] of [
    [[], {}],
    [["--domain", "a.example"], { domain: "a.example" }],
    [["--domain=a.example"], { domain: "a.example" }],
    [["--domain="], { domain: "" }],
    [["--domain", "12"], { domain: "12" }],
    [["--http-port", "8080"], { http_port: 8080 }],
    [["--http_port=-1"], { http_port: -1 }],
    [["--http-port", "1.5"], { http_port: 1.5 }],
    [["--http-port", "80x"], { http_port: "80x" }],
    [["--http-port", "1e3"], { http_port: "1e3" }],
    [["--force", "--domain", "a"], { force: true, domain: "a" }],
    [["--force", "false"], { force: false }],
    [["--force=true"], { force: true }],
    [["--force=yes"], { force: "yes" }],
    [["--list", '[{"a":1}]'], { list: [{ a: 1 }] }],
    [["--list", "[broken"], { list: "[broken" }],
    [["--servers", '[{"a":1}]'], { servers: '[{"a":1}]' }],
    [["--domain", "a=b c;d\ne"], { domain: "a=b c;d\ne" }],
  ] as const
) {
  Deno.test(`parseToolArguments: ${JSON.stringify(words)} is ${JSON.stringify(args)}`, () => {
    assert.deepEqual(parse([...words]), { ok: true, args });
  });
}

Deno.test("parseToolArguments adds the pairs to --args", () => {
  const args = { domain: "a", list: [1], http_port: 1 };
  assert.deepEqual(parse(["--http-port", "1"], '{"domain":"a","list":[1]}'), { ok: true, args });
});

for (
  const [words, json, problem] of [
    [["--dom", "a"], undefined, /no parameter --dom\. It takes --domain, --http-port, --force/],
    [["--domain"], undefined, /--domain needs a value/],
    [["--domain", "a", "--domain", "b"], undefined, /--domain is given twice/],
    [["--domain", "a"], '{"domain":"b"}', /--domain is given twice/],
    [["a.example"], undefined, /"a\.example" belongs to no parameter/],
    [["-d", "a"], undefined, /"-d" belongs to no parameter/],
    [[], "[1]", /--args takes a JSON object/],
    [[], "{", /--args takes a JSON object/],
    [["--__proto__", "a"], undefined, /belongs to no parameter/],
    [["--constructor", "a"], undefined, /no parameter --constructor/],
  ] as const
) {
  Deno.test(`parseToolArguments refuses ${JSON.stringify([...words, json])}`, () => {
    const parsed = parse([...words], json);
    assert.ok(!parsed.ok);
    assert.match(parsed.problem, problem);
  });
}

Deno.test("toolHelp shows each parameter with its type, default and whether it is required", () => {
  const help = toolHelp(definition);
  assert.match(help, /^ {2}--domain <string> +Which domain\. \(required\)$/m);
  assert.match(help, /^ {2}--http-port <integer> +\(default 80\)$/m);
  assert.match(help, /^ {2}--force +\(default false\)$/m);
  assert.match(help, /^ {2}--state ready\|drain$/m);
  assert.match(help, /^Example: haproxy-mcp call haproxy_try --domain <string>$/m);
});

Deno.test("toolTable lists by group, and leaves groups without tools out", () => {
  assert.equal(toolTable([definition]), "servers\n  haproxy_try  Try");
});

Deno.test("no tool has a parameter that an option of `call` would take", () => {
  const options = ["root", "haproxy_host", "haproxy_port", "args", "json", "help"];
  for (const { definition: { name, inputSchema } } of tools) {
    const names = Object.keys(inputSchema.properties as Record<string, unknown>);
    assert.deepEqual(names.filter((parameter) => options.includes(parameter)), [], name);
  }
});
