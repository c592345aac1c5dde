/** The means of the walk: calls through MCP and requests through HAProxy, each shown and checked at once. */
import type { Agent } from "./agent.ts";
import { type Ask, type Asked, curlLine } from "./curl.ts";
import { type Expectation, includes } from "./expect.ts";
import type { Ports } from "./haproxy.ts";
import { argumentsText, type Report, row } from "./report.ts";
import type { Traffic } from "./traffic.ts";

export interface SceneOptions {
  readonly report: Report;
  readonly ask: Ask;
  readonly ports: Ports;
  readonly traffic: Traffic;
  /** The agent that runs now. */
  readonly agent: () => Agent;
}

export interface Scene {
  /** Calls a tool whose structured answer has to hold all of `wanted`. */
  call(tool: string, args: object, wanted: object): Promise<void>;
  /** Calls a tool that has to refuse with this code. */
  refused(tool: string, args: object, code: string): Promise<void>;
  /** Reads a resource whose text has to hold this; shows what `show` makes of it. */
  read(uri: string, wanted: RegExp, show: (text: string) => string): Promise<void>;
  /** Asks through HAProxy, `times` in a row while nobody else does. @default times 1 */
  curl(asked: Asked, expected: Expectation, times?: number): Promise<void>;
  /** Shows and checks what was asked already. */
  showCurl(asked: Asked, answers: readonly string[], expected: Expectation): void;
}

export function openScene({ report, ask, ports, traffic, agent }: SceneOptions): Scene {
  async function timedCall(tool: string, args: object) {
    let progress: string | undefined;
    const questions: string[] = [];
    const start = performance.now();
    const reply = await agent().call(tool, args, {
      progress: (message) => progress ??= message,
      question: (message) => questions.push(message),
    });
    const heard = [
      ...questions.map((question) => `a person is asked: ${question}\n→ yes`),
      ...(progress === undefined ? [] : [`progress: ${progress}`]),
    ];
    return { reply, heard, ms: performance.now() - start };
  }

  function showCurl(asked: Asked, answers: readonly string[], { text, holds }: Expectation): void {
    report.command(curlLine(asked, ports), row(answers), holds(answers) ? undefined : text);
  }

  return {
    async call(tool, args, wanted) {
      const { reply, heard, ms } = await timedCall(tool, args);
      const right = includes(reply.structured, wanted);
      report.step(right, tool, argumentsText(args), ms);
      for (const each of heard) report.say(each);
      report.say(reply.text);
      if (!right) report.say(`expected ${JSON.stringify(wanted)}`);
    },
    async refused(tool, args, code) {
      const { reply, ms } = await timedCall(tool, args);
      const right = reply.code === code;
      report.step(right, tool, argumentsText(args), ms);
      report.say(`${reply.code ?? "not refused"} · ${reply.text}`);
      if (!right) report.say(`expected ${code}`);
    },
    async read(uri, wanted, show) {
      const start = performance.now();
      const text = await agent().read(uri);
      report.step(wanted.test(text), "resource", uri, performance.now() - start);
      report.say(show(text));
    },
    async curl(asked, expected, times = 1) {
      const answers: string[] = [];
      await traffic.hush(async () => {
        for (let n = 0; n < times; n++) answers.push(await ask(asked));
      });
      showCurl(asked, answers, expected);
    },
    showCurl,
  };
}
