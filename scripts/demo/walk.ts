/**
 * The demo, run by scripts/demo.sh, which ends whatever this starts and removes ROOT.
 *
 * Usage: walk.ts ROOT HAPROXY HAPROXY_MCP SH CURL [--once], absolute paths; CURL may be empty.
 */
import project from "../../deno.json" with { type: "json" };
import { startBackend } from "../../tests/support/backend.ts";
import { startAgent } from "./agent.ts";
import { asker } from "./curl.ts";
import { invitation } from "./invitation.ts";
import { startHaproxy } from "./haproxy.ts";
import { openReport, painter } from "./report.ts";
import { tellStory } from "./story.ts";

const [root, haproxyPath, agentPath, sh, curl, once] = Deno.args;

function write(text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  } catch (cause) {
    // Nobody reads any more: there is nobody to tell either.
    if (cause instanceof Deno.errors.BrokenPipe) Deno.exit(1);
    throw cause;
  }
}

/** Resolves to the exit status of --once. Without that it goes on until it is ended. */
async function walk(onLost: (error: Error) => void): Promise<number> {
  const start = performance.now();
  const paint = painter(Deno.stdout.isTerminal() && !Deno.noColor);
  const report = openReport(write, paint);
  const backends = [1, 2, 3].map((n) => startBackend(`backend-${n}`));
  const places = { root, sh, agent: agentPath, haproxy: haproxyPath, onLost };
  const haproxy = await startHaproxy(places);
  const { ports } = haproxy;
  const openAgent = () => startAgent({ ...places, api: ports.api });
  const first = await openAgent();
  report.line(
    `HAProxy ${haproxy.version} and haproxy-mcp ${project.version} are up` +
      (curl === "" ? "; without curl here, the demo asks by itself.\n" : ".\n"),
  );

  const ask = asker(curl, ports);
  const cast = { report, ask, haproxy, agent: first, backends, startAgentAgain: openAgent };
  const agent = await tellStory(cast);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const verdict = report.wrong === 0
    ? paint("green", "every answer as it should be")
    : paint("red", `${report.wrong} not as it should be`);
  report.line(`\n${report.steps} steps in ${seconds} s: ${verdict}`);
  if (once === "--once") return report.wrong === 0 ? 0 : 1;

  report.line(invitation({ root, agent, ports, agentPath }));
  return await new Promise(() => {});
}

const lost = Promise.withResolvers<never>();
/** Ctrl-C ends all at once, this process too: then the others' end is not worth a word. */
const onLost = (error: Error) => void setTimeout(() => lost.reject(error), 300);
try {
  Deno.exit(await Promise.race([walk(onLost), lost.promise]));
} catch (cause) {
  console.error(`demo.sh: ${cause instanceof Error ? cause.message : cause}`);
  Deno.exit(1);
}
