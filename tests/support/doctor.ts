/** `haproxy-mcp doctor --json` beside a HAProxy, as a person would run it, and set-ups that are broken in one way each. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type AgentOptions, type Neighbour, runAgent } from "./agent.ts";
import { type Haproxy, type HaproxyOptions, startHaproxy } from "./haproxy.ts";

export interface Found {
  readonly name: string;
  readonly group: string;
  readonly status: "ok" | "warning" | "fault" | "skipped";
  readonly message: string;
  readonly remedy?: string;
}

export interface Report {
  readonly code: number;
  readonly checks: readonly Found[];
  readonly faults: number;
  readonly warnings: number;
}

export async function runDoctor(
  haproxy: Neighbour,
  options: AgentOptions & { readonly args?: readonly string[] } = {},
): Promise<Report> {
  const { code, stdout, stderr } = await runAgent(
    haproxy,
    ["doctor", "--json", ...options.args ?? []],
    options,
  );
  assert.equal(stderr, "");
  return { code, ...JSON.parse(stdout) };
}

/** What is wrong, as `name: status`. */
export const wrong = ({ checks }: Report): string[] =>
  checks.filter(({ status }) => status === "fault" || status === "warning")
    .map(({ name, status }) => `${name}: ${status}`);

export function found(report: Report, name: string): Found {
  const check = report.checks.find((check) => check.name === name);
  assert.ok(check, `there is no check ${name}`);
  return check;
}

/** Why it is not fine, for a failed test. */
export const shown = ({ checks }: Report): string =>
  checks.filter(({ status }) => status !== "ok").map((check) => JSON.stringify(check)).join("\n");

/** One way to break a set-up that is right otherwise. */
export interface Breakage {
  /** Behind "where". */
  readonly what: string;
  readonly haproxy?: HaproxyOptions;
  /** Done to the running HAProxy and its files, which are gone afterwards. What it returns is disposed of. */
  readonly do?: (haproxy: Haproxy) => Promise<AsyncDisposable | void> | AsyncDisposable | void;
  readonly env?: (haproxy: Haproxy) => Record<string, string>;
  readonly options?: AgentOptions;
  /** All that doctor finds. */
  readonly wrong: readonly string[];
  /** The check that says what it is. @default the first of them */
  readonly about?: string;
  readonly message: RegExp;
  readonly remedy: RegExp;
  readonly ignore?: boolean;
}

/** doctor names each of them, says what to do, and finds nothing else. */
export function testBreakages(breakages: readonly Breakage[]): void {
  for (const breakage of breakages) {
    const { what, ignore } = breakage;
    Deno.test({ name: `doctor names it where ${what}`, ignore, fn: () => tryBreakage(breakage) });
  }
}

async function tryBreakage(breakage: Breakage): Promise<void> {
  await using haproxy = await startHaproxy({ pools: 2, slots: 3, ...breakage.haproxy });
  await using undo = new AsyncDisposableStack();
  const made = await breakage.do?.(haproxy);
  if (made) undo.use(made);
  const { env, ...options } = breakage.options ?? {};
  const report = await runDoctor(haproxy, {
    ...options,
    env: { ...env, ...breakage.env?.(haproxy) },
  });
  assert.deepEqual(wrong(report), breakage.wrong, shown(report));
  const { message, remedy = "" } = found(
    report,
    breakage.about ?? breakage.wrong[0].split(":")[0],
  );
  assert.match(message, breakage.message);
  assert.match(remedy, breakage.remedy);
  const faults = breakage.wrong.filter((each) => each.endsWith("fault")).length;
  const warnings = breakage.wrong.length - faults;
  assert.deepEqual([report.faults, report.warnings], [faults, warnings]);
  assert.equal(report.code, faults > 0 ? 1 : 0);
}

export const under = ({ root }: Pick<Haproxy, "root">, path: string): string => join(root, path);

export async function rewrite(path: string, change: (text: string) => string): Promise<void> {
  await Deno.writeTextFile(path, change(await Deno.readTextFile(path)));
}

/** Edits haproxy.cfg behind the back of the running HAProxy, as if that had been long ago. */
export async function editConfig(
  { configFile }: Haproxy,
  edit: (config: string) => string,
): Promise<void> {
  const { mtime } = await Deno.stat(configFile);
  await rewrite(configFile, edit);
  await Deno.utime(configFile, mtime!, mtime!);
}
