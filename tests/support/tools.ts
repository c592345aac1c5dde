/** The tools on a real HAProxy, called in this process: what the tools room does, without the room. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type HostSettings, readSettings } from "../../lib/config.ts";
import { AgentError, type AgentErrorData } from "../../lib/errors.ts";
import type { Handlers, Progress } from "../../lib/rpc/mod.ts";
import { programActs } from "../../lib/supervisor/host/mod.ts";
import type { ToolResult } from "../../lib/tool_definition.ts";
import {
  type Host,
  openContext,
  type ToolContext,
  type ToolsSettings,
} from "../../tools/context.ts";
import { tools } from "../../tools/mod.ts";
import type { Publish } from "../../tools/resource_changes.ts";
import { type Haproxy, haproxyBinary, type HaproxyOptions, startHaproxy } from "./haproxy.ts";
import { type Answer, request } from "./request.ts";

export interface ToolRigOptions extends HaproxyOptions {
  readonly confirm?: ToolsSettings["confirm"];
  readonly readOnly?: boolean;
  /** What the settings say instead of what HAProxy's configuration has. */
  readonly poolCount?: number;
  readonly maxSlots?: number;
  /** @default {true} */
  readonly heal?: boolean;
  /** Told which resources changed. */
  readonly publish?: Publish;
  /** What main's acts are told beside the master CLI and HAProxy's program, which are the rig's. */
  readonly host?: Partial<HostSettings>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export interface ToolRig extends AsyncDisposable {
  readonly haproxy: Haproxy;
  readonly context: ToolContext;
  /** Calls `haproxy_NAME`. */
  call(name: string, args?: unknown, options?: CallOptions): Promise<ToolResult>;
  /** Calls a tool that has to refuse; the error as it crosses to the client. */
  refused(name: string, args?: unknown, options?: CallOptions): Promise<AgentErrorData>;
  /** A request through HAProxy's plain port. */
  get(host: string, path?: string): Promise<Answer>;
  /** conf/, certs/ byte for byte, and what HAProxy has in its map and slots. */
  snapshot(): Promise<Record<string, string>>;
  /** Closes the tools and opens them again, as another process would. */
  reopen(): Promise<void>;
  /** A file under the root, once the files hold all that the journal does. */
  file(path: string): Promise<string>;
}

/** HAProxy with two pools of three slots, if not told otherwise, and the tools on its root. */
export async function openTools(options: ToolRigOptions = {}): Promise<ToolRig> {
  const { confirm = "ask", readOnly = false, heal = true, ...more } = options;
  const { poolCount, maxSlots, host, publish, ...wishes } = more;
  const haproxy = await startHaproxy({ pools: 2, slots: 3, ...wishes });
  const settings = { ...toolsSettings(haproxy, { poolCount, maxSlots }), confirm, readOnly, heal };
  try {
    const acts = hostOf(haproxy, host);
    return rig(haproxy, settings, acts, await openContext(settings, acts, { publish }));
  } catch (cause) {
    await haproxy[Symbol.asyncDispose]();
    throw cause;
  }
}

/** The settings that fit a HAProxy of the rig. */
export function toolsSettings(
  { root, options }: Haproxy,
  { poolCount = options.pools, maxSlots = options.slots }: {
    readonly poolCount?: number;
    readonly maxSlots?: number;
  } = {},
): ToolsSettings {
  const settings = readSettings({
    HAPROXY_ROOT: root,
    HAPROXY_HOST: options.api.address,
    HAPROXY_PORT: String(options.api.port),
    HAPROXY_POOL_COUNT: String(poolCount),
    HAPROXY_MAX_SLOTS: String(maxSlots),
  });
  return {
    ...settings,
    configFile: settings.host.configFile,
    room: 1,
    pid: Deno.pid,
    heal: true,
    readOnly: false,
    renew: false,
  };
}

/** More tools on the same root, as a second process would have them. */
export async function openMoreTools(
  haproxy: Haproxy,
  changed: Partial<ToolsSettings> = {},
): Promise<ToolRig> {
  const settings = { ...toolsSettings(haproxy), ...changed };
  const acts = hostOf(haproxy);
  const more = rig(haproxy, settings, acts, await openContext(settings, acts));
  return { ...more, [Symbol.asyncDispose]: () => more.context.close() };
}

/** Main's acts in this process, on the rig's HAProxy. */
export function hostOf(haproxy: Haproxy, wishes: Partial<HostSettings> = {}): Host {
  const { host } = readSettings({
    HAPROXY_ROOT: haproxy.root,
    HAPROXY_MASTER: haproxy.masterAddress,
    HAPROXY_BINARY: haproxyBinary(haproxy.version),
  });
  const acts = programActs({ ...host, ...wishes }, {}) as Handlers;
  return {
    async call(name, args, { signal = new AbortController().signal } = {}) {
      // Orders need a CA, and with it a process of their own.
      if (!Object.hasOwn(acts, name)) throw new AgentError("UNSUPPORTED", `The rig lacks ${name}.`);
      return await acts[name](args, { signal, progress: () => {} });
    },
  } as Host;
}

function rig(
  haproxy: Haproxy,
  settings: ToolsSettings,
  host: Host,
  opened: ToolContext,
): ToolRig {
  let context = opened;

  async function call(name: string, args: unknown = {}, options: CallOptions = {}) {
    const tool = tools.find(({ definition }) => definition.name === `haproxy_${name}`);
    if (!tool) throw new Error(`there is no tool haproxy_${name}`);
    return await tool.run(args, context, {
      signal: options.signal ?? new AbortController().signal,
      progress: options.onProgress ?? (() => {}),
      caller: { transport: "shell", who: "test" },
    });
  }

  return {
    haproxy,
    get context() {
      return context;
    },
    call,
    async reopen() {
      await context.close();
      context = await openContext(settings, host);
    },
    async refused(name, args, options) {
      try {
        const { text } = await call(name, args, options);
        throw new Error(`haproxy_${name} did it: ${text}`);
      } catch (cause) {
        if (cause instanceof AgentError) return cause.toData();
        throw cause;
      }
    },
    get: (host, path = "/") => request({ port: haproxy.options.httpPort, host, path }),
    snapshot: () => snapshot(haproxy),
    async file(path) {
      await settled(haproxy);
      return await Deno.readTextFile(join(haproxy.root, path));
    },
    async [Symbol.asyncDispose]() {
      try {
        await context.close();
      } finally {
        await haproxy[Symbol.asyncDispose]();
      }
    },
  };
}

/** Resolves once the journal is empty: changes that come together are in the files a moment after their answers. */
async function settled({ root }: Haproxy): Promise<void> {
  const journal = join(root, "data/journal/changes.jsonl");
  for (const end = Date.now() + 5_000; Date.now() < end; await delay(5)) {
    const info = await Deno.stat(journal).catch(() => undefined);
    if (!info?.size) return;
  }
  throw new Error(`the journal is not empty: ${await Deno.readTextFile(journal)}`);
}

/** Everything that a refusal has to leave as it was. */
export async function snapshot(haproxy: Haproxy): Promise<Record<string, string>> {
  const files = await snapshotFiles(haproxy);
  return { ...files, map: await runningMap(haproxy), slots: await runningSlots(haproxy) };
}

/** What of it lies on disk: conf/ and certs/, byte for byte. */
export async function snapshotFiles(haproxy: Haproxy): Promise<Record<string, string>> {
  await settled(haproxy);
  const seen: Record<string, string> = {};
  for (const folder of ["conf", "certs"]) {
    for await (const { name, isFile } of Deno.readDir(join(haproxy.root, folder))) {
      if (isFile) {
        seen[`${folder}/${name}`] = await Deno.readTextFile(join(haproxy.root, folder, name));
      }
    }
  }
  return seen;
}

/** `key value` a line, without the entries' addresses. */
export async function runningMap(haproxy: Pick<Haproxy, "runtime" | "options">): Promise<string> {
  const { runtime, options: { map } } = haproxy;
  // A container has another path for it.
  const listed = await runtime("show map");
  const known = listed.includes(`(${map})`);
  const id = known ? map : `#${/^(\d+) \(\S*\/domains\.map\)/m.exec(listed)![1]}`;
  const dump = await runtime(`show map ${id}`);
  return dump.replaceAll(/^0x[0-9a-f]+ /gm, "").trim().split("\n").sort().join("\n");
}

/** `pool_1_1 10.0.0.1:80 admin_state weight` a line, of the pools' slots. */
export async function runningSlots(haproxy: Pick<Haproxy, "runtime">): Promise<string> {
  const rows = (await haproxy.runtime("show servers state")).trim().split("\n").slice(2);
  return rows.map((row) => row.split(" ")).filter(([, backend]) => backend.startsWith("pool_"))
    .map((cells) => `${cells[3]} ${cells[4]}:${cells[18]} ${cells[6]} ${cells[7]}`).join("\n");
}
