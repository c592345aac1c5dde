/** Symlinks that somebody plants under the root: whatever the agent opens, it is refused there, by every tool and at the start. */
import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { testRoot } from "../state/root.ts";
import { callFromShell, runAgent, startServe } from "../support/agent.ts";
import { FULL, record } from "../support/evidence/record.ts";
import { openEvidenceSite } from "../support/evidence/site.ts";
import type { Race } from "../support/evidence/symlink_racer.ts";

const SECRET = "secret of somebody else\n";

interface Outside extends AsyncDisposable {
  readonly path: string;
  /** What was read there, or written: nothing. */
  isUntouched(): Promise<boolean>;
}

/** A folder beside the root, with a file that nobody may touch and another that must not come to be. */
async function somewhereElse(): Promise<Outside> {
  const path = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  await Deno.writeTextFile(join(path, "secret"), SECRET, { mode: 0o600 });
  return {
    path,
    async isUntouched() {
      const names = await Array.fromAsync(Deno.readDir(path), ({ name }) => name);
      const { mode } = await Deno.stat(join(path, "secret"));
      const text = await Deno.readTextFile(join(path, "secret"));
      return names.join() === "secret" && mode! % 0o1000 === 0o600 && text === SECRET;
    },
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

type Call = readonly [tool: string, args: Record<string, unknown>];

let weight = 1;
/** Another one each time, so that there is something to do. */
const change = (): Call => [
  "haproxy_set_server_weight",
  { domain: "a.test", slot: 1, weight: weight++ },
];
const load = (): Call => ["haproxy_load_cert", { domain: "a.test" }];
const list = (): Call => ["haproxy_list_domains", {}];

/** Every file that tools open, the folders above them, and what opens it. */
const FILES: Readonly<Record<string, readonly (() => Call)[]>> = {
  "conf/domains.map": [change, list],
  "conf/servers.json": [change, list],
  "conf/servers.state": [change],
  "conf/certificates.json": [load],
  "certs/crt-list.txt": [load],
  "certs/a.test.pem": [load],
  "data/servers.state": [
    () => ["haproxy_save_state", {}],
    () => ["haproxy_restore_state", { source: "state_file" }],
  ],
  "data/lock": [change],
  "data/certificates.lock": [load],
  "data/journal/changes.jsonl": [change],
  "data/journal/certificate.json": [load],
  "data/audit.jsonl": [change],
  "data/audit.lock": [change],
};
const FOLDERS: typeof FILES = {
  conf: [change, list],
  certs: [load],
  data: [change],
  "data/journal": [change],
};
/** A change is made all the same, and the agent's log says that the audit log has no line of it. */
const isAudit = (place: string) => place.startsWith("data/audit");

/** Puts a symlink in the place of a file or folder; undoes it. */
async function plant(path: string, target: string): Promise<() => Promise<void>> {
  const aside = join(dirname(path), `${basename(path)}.aside`);
  const existed = await Deno.rename(path, aside).then(() => true, () => false);
  await Deno.symlink(target, path);
  return async () => {
    await Deno.remove(path);
    if (existed) await Deno.rename(aside, path);
  };
}

Deno.test("a symlink out of the root in the place of any file or folder: the start is refused, and so is each tool", async () => {
  await using haproxy = await openEvidenceSite();
  await using outside = await somewhereElse();
  await using agent = await startServe(haproxy, { env: { MCP_CONFIRM: "off", MCP_RATE: "0" } });
  const caller = await agent.connect();
  const counts = { tried: 0, denied: 0, escaped: 0 };
  const wrong: string[] = [];

  async function judge(what: string, refused: Promise<boolean>): Promise<void> {
    counts.tried += 1;
    const denied = await refused && await outside.isUntouched();
    counts[denied ? "denied" : "escaped"] += 1;
    if (!denied) wrong.push(what);
  }

  const start = async () => (await runAgent(haproxy, ["call", "haproxy_list_domains"])).code === 4;
  try {
    for (const [place, calls] of Object.entries({ ...FILES, ...FOLDERS })) {
      for (const target of place in FOLDERS ? ["."] : ["secret", "missing"]) {
        const undo = await plant(join(haproxy.root, place), join(outside.path, target));
        try {
          if (FULL || target !== "missing") {
            await judge(`start with ${place} -> ${target}`, start());
          }
          for (const [tool, args] of calls.map((call) => call())) {
            const refused = caller.client.callTool({ name: tool, arguments: args }).then(isRefused);
            await judge(
              `${tool} with ${place} -> ${target}`,
              isAudit(place) ? refused.then((is) => !is) : refused,
            );
          }
        } finally {
          await undo();
        }
      }
    }
  } finally {
    record("Escapes", "symlinks", counts);
  }
  assert.deepEqual(wrong, []);
  assert.match(agent.log(), /audit/);
  const { code } = await callFromShell(haproxy, "list_domains");
  assert.equal(code, 0);
});

function isRefused(result: Record<string, unknown>): boolean {
  const error = (result._meta as Record<string, { code?: string }>)?.["haproxy-mcp/error"];
  return error?.code === "STATE_IO";
}

const LOOKS = FULL ? 200_000 : 4_000;

/** Resolves to what ends the race. */
async function raceFor(place: string, target: string): Promise<() => Promise<void>> {
  const entry = new URL("../support/evidence/symlink_racer.ts", import.meta.url);
  const worker = new Worker(entry, { type: "module" });
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const stopped = new Promise<void>((resolve) => worker.onmessage = () => resolve());
  worker.postMessage({ place, target, stop } satisfies Race);
  // It has begun once the place has been something else.
  const isLink = () => Deno.lstat(place).then(({ isSymlink }) => isSymlink, () => true);
  while (!await isLink()) await delay(1);
  return async () => {
    Atomics.store(stop, 0, 1);
    await stopped;
  };
}

Deno.test("a symlink that comes and goes while a file is opened leads nowhere", async () => {
  await using outside = await somewhereElse();
  await using root = await testRoot();
  const { files } = root;
  await root.write("conf/raced", "plain\n");
  const path = join(files.root, "conf/raced");
  const end = await raceFor(path, join(outside.path, "secret"));
  const open = { read: files.openLock, append: files.openAppend };
  const seen = { plain: 0, secret: 0, refused: 0 };
  const note = (text: string | undefined) =>
    seen[text === SECRET ? "secret" : text === undefined ? "refused" : "plain"] += 1;
  try {
    for (let look = 0; look < LOOKS; look++) {
      note(await files.read(path).catch(() => undefined));
      for (const opened of Object.values(open)) {
        const file = await opened(path).catch(() => undefined);
        note(file && await new Response(file.readable).text());
      }
    }
  } finally {
    await end();
    record("Escapes", "symlinks", {
      tried: 3 * LOOKS,
      denied: seen.refused + seen.plain,
      escaped: seen.secret,
    });
  }
  assert.equal(seen.secret, 0, JSON.stringify(seen));
  assert.ok(seen.plain > 0 && seen.refused > 0, JSON.stringify(seen));
  assert.ok(await outside.isUntouched());
});
