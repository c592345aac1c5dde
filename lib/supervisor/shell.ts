/** The shell's way to the tools: main and a tools room, no front. Works beside a running `serve`. */
import project from "../../deno.json" with { type: "json" };
import type { Settings } from "../config.ts";
import { AgentError } from "../errors.ts";
import { newRequestId, openLog } from "../log.ts";
import type { CompletionQuestion, Completions } from "../resource_definition.ts";
import { type CallOptions, connect, type Handlers, type Peer } from "../rpc/mod.ts";
import type { ToolCall, ToolDefinition, ToolResult } from "../tool_definition.ts";
import type { BackupAnswer, BackupOrder, RestoreAnswer, RestoreOrder } from "../../tools/backup.ts";
import type { Examination } from "../../tools/examine.ts";
import type { ToolsRoom } from "../../tools/room.ts";
import { catalogueOf, compiledCatalogue } from "./catalogue.ts";
import { type Grants, NO_GRANTS, toolsGrants } from "./grants.ts";
import { certificateHost } from "./host/certificates.ts";
import { programActs } from "./host/mod.ts";
import { openRoom, type RoomEntries } from "./room.ts";
import { prepareRoot } from "./root.ts";

/** Each look has a deadline of its own, well below. */
const EXAMINE_MS = 60_000;

export type { BackupAnswer, RestoreAnswer };

/** Each call throws the AgentError that the room answers, or OUTCOME_UNKNOWN when the room is lost. */
export interface Shell {
  readonly definitions: readonly ToolDefinition[];
  call(
    name: string,
    args: unknown,
    options: CallOptions & Pick<ToolCall, "verdict">,
  ): Promise<ToolResult>;
  complete(question: CompletionQuestion): Promise<Completions>;
  backup(order: Wish<BackupOrder>, options: CallOptions): Promise<BackupAnswer>;
  restore(order: Wish<RestoreOrder>, options: CallOptions): Promise<RestoreAnswer>;
}

/** An order without what is known here. */
type Wish<Order> = Omit<Order, "caller" | "root" | "places" | "madeBy">;

/** What the tools are. Needs no root, no HAProxy and no settings. */
export async function readDefinitions(entries: RoomEntries): Promise<readonly ToolDefinition[]> {
  const { tools } = compiledCatalogue(entries) ??
    await withToolsRoom(entries, NO_GRANTS, {}, (room) => room.call("catalogue", undefined));
  return tools;
}

/** Opens a tools room for `use`, and ends it with it. Throws SettingsError for a root that can't be used. */
export async function withShell<T>(
  given: Settings,
  entries: RoomEntries,
  use: (shell: Shell) => Promise<T>,
): Promise<T> {
  openLog("main", given.logging);
  const prepared = await prepareRoot(given);
  const { files, haproxy, host, confirm, logging, front, acme: { client, directory } } = prepared;
  const acme = { client, directory };
  const shared = { files, haproxy, confirm, logging, configFile: host.configFile };
  const settings = { ...shared, readOnly: front.readOnly, acme };
  const caller = {
    transport: "shell",
    who: `uid ${Deno.uid()}`,
    requestId: newRequestId(),
  } as const;

  const here = { pid: Deno.pid, uid: Deno.uid() ?? 0 };
  const grants = toolsGrants(files.root, haproxy);
  // One room has no predecessor.
  const certificates = certificateHost(prepared, entries);
  const acts = { ...programActs(host), ...certificates.acts };
  const order = {
    caller,
    root: given.files.root,
    places: placesBelow(given, files.root),
    madeBy: `${project.name} ${project.version}`,
  };
  const used = withToolsRoom(entries, grants, acts, async (room) => {
    const { tools: definitions } = await catalogueOf(entries, room);
    const { port1, port2 } = new MessageChannel();
    const tools = connect<ToolsPort>(port1);
    let starting: Promise<void> | undefined;
    /** Not before the first call: what is wrong with that may need no files. */
    const started = () =>
      starting ??= room.call("start", {
        settings: { ...settings, ...here, room: 1, heal: false, renew: false },
        port: port2,
      }, { transfer: [port2] });
    try {
      return await use({
        definitions,
        async call(name, args, { verdict, ...options }) {
          await started();
          return await tools.call(name, { args, caller, verdict }, options) as ToolResult;
        },
        async complete(question) {
          await started();
          return await tools.call("complete", question) as Completions;
        },
        async backup(wish, options) {
          await started();
          return await room.call("backup", { ...wish, ...order }, options);
        },
        async restore(wish, options) {
          await started();
          return await room.call("restore", { ...wish, ...order }, options);
        },
      });
    } finally {
      port1.close();
      // What it answered is on disk before the process ends.
      if (starting) await room.call("stop", undefined);
    }
  });
  return await used.finally(certificates.settled);
}

type ToolsPort = Record<string, (call: ToolCall | CompletionQuestion) => ToolResult | Completions>;

/** Files that the settings may put outside of the root, where they lie under it. */
function placesBelow({ files: { root }, host, tokenFile }: Settings, real: string) {
  const below = (path: string) =>
    path.startsWith(`${root}/`) ? real + path.slice(root.length) : undefined;
  return { configFile: below(host.configFile), tokenFile: below(tokenFile) };
}

/**
 * Lets a tools room look at HAProxy and the files for `doctor`: one that may write nothing.
 *
 * @param root the real one; undefined: it may read nothing either
 */
export function examineInRoom(
  { files, haproxy, acme: { client, directory } }: Settings,
  entries: RoomEntries,
  root: string | undefined,
): Promise<Examination> {
  const { net } = toolsGrants(files.root, haproxy);
  const request = { files, haproxy, acme: { client, directory } };
  return withToolsRoom(
    entries,
    { net, ...(root !== undefined && { read: [root] }) },
    {},
    (room) => room.call("examine", request, { deadlineMs: EXAMINE_MS }),
  );
}

/** Whatever `use` waits for, the loss of the room ends it. */
async function withToolsRoom<T>(
  entries: RoomEntries,
  grants: Grants,
  handlers: Handlers,
  use: (room: Peer<ToolsRoom>) => Promise<T>,
): Promise<T> {
  const { promise: lost, reject } = Promise.withResolvers<never>();
  const room = openRoom<ToolsRoom>({
    name: "tools",
    entry: entries.tools,
    grants,
    handlers,
    onLost({ why }) {
      reject(
        new AgentError("OUTCOME_UNKNOWN", `The tools room is lost: ${why}.`, {
          hint: "Read the current state before you try again.",
        }),
      );
    },
  });
  try {
    return await Promise.race([lost, use(room.peer)]);
  } finally {
    room.end(new AgentError("CANCELLED", "The call has ended."));
  }
}
