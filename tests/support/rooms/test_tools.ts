/** Tools that misbehave, and one that tries to leave: in the test build only, beside the product's. */
import * as z from "zod";
import { log } from "../../../lib/log.ts";
import { openRoot } from "../../../lib/sandbox/files.ts";
import { connect } from "../../../lib/rpc/mod.ts";
import { fileLock } from "../../../lib/state/lock.ts";
import { CHANGES, READS, tool } from "../../../tools/tool.ts";
import { probe, type ProbeTarget } from "./probe.ts";

const text = z.object({ text: z.string() });
const answer = (value: string) => ({ text: value, structured: { text: value } });
const probeTarget = z.object({
  root: z.string(),
  apiPort: z.int(),
  otherPort: z.int(),
  nobodysPort: z.int(),
  outside: z.string(),
  link: z.string(),
  pid: z.int(),
  kinds: z.array(z.string()).optional(),
});
/** Of test_write_on: so many show that it wrote on, however slow the machine. */
const WRITES_BEFORE_ERROR = 20;
const forEver = (): never => {
  for (;;);
};

export const testTools = [
  tool({
    name: "test_spin",
    title: "Never yields",
    description:
      "Keeps the room's event loop busy for ever, under the file lock if told its place.",
    group: "health",
    hints: CHANGES,
    input: z.object({ root: z.string().optional(), pid: z.int().default(0) }),
    output: text,
    deadlineMs: 60_000,
    async run({ root, pid }) {
      if (root === undefined) return forEver();
      const lock = fileLock(await openRoot(root), `${root}/data/lock`, { pid, room: 1 }, 5_000);
      return await lock.hold(() => Promise.resolve().then(forEver));
    },
  }),
  tool({
    name: "test_write_on",
    title: "Writes for ever",
    description:
      "Appends to data/written who holds the file lock, over and over, under that lock: in one turn, or turn by turn " +
      "while an error is thrown past every handler.",
    group: "health",
    hints: CHANGES,
    input: z.object({
      root: z.string(),
      pid: z.int(),
      room: z.int(),
      throws: z.boolean().default(false),
    }),
    output: text,
    deadlineMs: 60_000,
    async run({ root, pid, room, throws }) {
      const path = `${root}/data/lock`;
      const lock = fileLock(await openRoot(root), path, { pid, room }, 5_000);
      const write = () => {
        const holder = Deno.readTextFileSync(path).trim();
        Deno.writeTextFileSync(`${root}/data/written`, `${holder}\n`, { append: true });
      };
      return await lock.hold(async () => {
        for (let written = 1;; written++) {
          write();
          if (!throws) continue;
          if (written === WRITES_BEFORE_ERROR) {
            setTimeout(() => {
              throw new Error("thrown past every handler");
            });
          }
          await new Promise((resolve) => setTimeout(resolve));
        }
      });
    },
  }),
  tool({
    name: "test_deaf",
    title: "Ignores its cancellation",
    description: "Awaits what never comes.",
    group: "health",
    hints: CHANGES,
    input: z.object({}),
    output: text,
    deadlineMs: 300,
    run: () => new Promise(() => {}),
  }),
  tool({
    name: "test_exit",
    title: "Ends its room",
    description: "Calls Deno.exit.",
    group: "health",
    hints: CHANGES,
    input: z.object({}),
    output: text,
    run: () => Deno.exit(0),
  }),
  tool({
    name: "test_throw",
    title: "Throws past every handler",
    description: "Throws from a timer.",
    group: "health",
    hints: CHANGES,
    input: z.object({}),
    output: text,
    run() {
      setTimeout(() => {
        throw new Error("thrown past every handler");
      });
      return new Promise(() => {});
    },
  }),
  tool({
    name: "test_read",
    title: "A slow read",
    description: "Answers after a while with the version of Deno.",
    group: "health",
    hints: READS,
    input: z.object({ ms: z.int() }),
    output: text,
    async run({ ms }) {
      await pause(ms, new AbortController().signal);
      return answer(Deno.version.deno);
    },
  }),
  tool({
    name: "test_echo",
    title: "Says what it was told",
    description: "Makes progress that carries the text, then answers it.",
    group: "health",
    hints: READS,
    input: z.object({ text: z.string(), steps: z.int().default(3), ms: z.int().default(20) }),
    output: text,
    async run({ text, steps, ms }, _context, { signal, progress }) {
      for (let step = 1; step <= steps; step++) {
        await pause(ms, signal);
        progress({ progress: step, total: steps, message: text });
      }
      return answer(text);
    },
  }),
  tool({
    name: "test_tattle",
    title: "Says how it ended",
    description: "Makes progress for five seconds; logs its cancellation.",
    group: "health",
    hints: CHANGES,
    input: z.object({}),
    output: text,
    async run(_args, _context, { signal, progress }) {
      try {
        for (let step = 1; step <= 50; step++) {
          progress({ progress: step, total: 50 });
          await pause(100, signal);
        }
        return answer("ended");
      } catch (cause) {
        log.info(`tattle was cancelled: ${(cause as Error).name}`);
        throw cause;
      }
    },
  }),
  tool({
    name: "test_probe",
    title: "Tries to leave the tools room",
    description: "Answers what each attempt came to.",
    group: "health",
    hints: READS,
    input: probeTarget,
    output: z.looseObject({}),
    deadlineMs: 60_000,
    async run(target) {
      const structured = await probe(target);
      return { text: JSON.stringify(structured), structured };
    },
  }),
  tool({
    name: "test_probe_acme",
    title: "Tries to leave the acme room",
    description: "Opens an acme room, and answers what each attempt came to in there.",
    group: "health",
    hints: READS,
    input: probeTarget,
    output: z.looseObject({}),
    deadlineMs: 60_000,
    async run(target, { host }) {
      const { port1, port2 } = new MessageChannel();
      const over = new AbortController();
      const room = host.call("acmeRoom", { port: port2 }, {
        signal: over.signal,
        transfer: [port2],
      });
      const acme = connect<{ probe(target: ProbeTarget): ReturnType<typeof probe> }>(port1);
      try {
        const lost = room.then(() => Promise.reject(new Error("The room ended.")));
        const structured = await Promise.race([lost, acme.call("probe", target)]);
        return { text: JSON.stringify(structured), structured };
      } finally {
        over.abort();
        await room.catch(() => {});
        port1.close();
      }
    },
  }),
];

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
