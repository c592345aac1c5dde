/** The shell's way to the tools: main and a tools room, no front. Works beside a running `serve`. */
import type { Settings } from "../config.ts";
import { AgentError } from "../errors.ts";
import { newRequestId, openLog } from "../log.ts";
import { type CallOptions, connect, type Handlers, type Peer } from "../rpc/mod.ts";
import type { ToolCall, ToolDefinition, ToolResult } from "../tool_definition.ts";
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

export interface Shell {
  readonly definitions: readonly ToolDefinition[];
  /** Throws the AgentError that the tool answers, or OUTCOME_UNKNOWN when the room is lost. */
  call(name: string, args: unknown, options: CallOptions): Promise<ToolResult>;
}

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

  const grants = toolsGrants(files.root, haproxy);
  // One room has no predecessor.
  const certificates = certificateHost(prepared, entries);
  const acts = { ...programActs(host), ...certificates.acts };
  const call = withToolsRoom(entries, grants, acts, async (room) => {
    const { tools: definitions } = await catalogueOf(entries, room);
    return await use({
      definitions,
      async call(name, args, options) {
        const { port1, port2 } = new MessageChannel();
        const tools = connect<Record<string, (call: ToolCall) => ToolResult>>(port1);
        const start = {
          settings: { ...settings, room: 1, pid: Deno.pid, heal: false, renew: false },
          port: port2,
        };
        try {
          await room.call("start", start, { transfer: [port2] });
          return await tools.call(name, { args, caller }, options);
        } finally {
          port1.close();
          // What it answered is on disk before the process ends.
          await room.call("stop", undefined);
        }
      },
    });
  });
  return await call.finally(certificates.settled);
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
