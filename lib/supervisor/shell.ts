/** The shell's way to the tools: main and a tools room, no front. Works beside a running `serve`. */
import type { Settings } from "../config.ts";
import { AgentError } from "../errors.ts";
import { openLog } from "../log.ts";
import { type CallOptions, connect } from "../rpc/mod.ts";
import type { ToolDefinition, ToolResult } from "../tool_definition.ts";
import type { ToolCall, ToolsRoom } from "../../tools/room.ts";
import { type Grants, NO_GRANTS, toolsGrants } from "./grants.ts";
import { openRoom, type Room, type RoomEntries } from "./room.ts";
import { prepareRoot } from "./root.ts";

/** What the tools are. Needs no root, no HAProxy and no settings. */
export async function readDefinitions(entries: RoomEntries): Promise<ToolDefinition[]> {
  const room = openToolsRoom(entries, NO_GRANTS);
  try {
    return await room.peer.call("definitions", undefined);
  } finally {
    room.end(new AgentError("CANCELLED", "The definitions are read."));
  }
}

/**
 * Runs one tool. Throws SettingsError, or the AgentError that the tool answers.
 *
 * @param options its deadline is the caller's, as for every room
 */
export async function callTool(
  given: Settings,
  name: string,
  args: unknown,
  options: CallOptions,
  entries: RoomEntries,
): Promise<ToolResult> {
  openLog("main", given.logLevel);
  const { files, haproxy, confirm, logLevel, front } = await prepareRoot(given);
  const settings = { files, haproxy, confirm, logLevel, readOnly: front.readOnly };
  const room = openToolsRoom(entries, toolsGrants(files.root, haproxy));
  const { port1, port2 } = new MessageChannel();
  const tools = connect<Record<string, (call: ToolCall) => ToolResult>>(port1);
  room.lost.catch((why) => tools.close(why));
  try {
    await room.peer.call("start", {
      settings: { ...settings, room: 1, pid: Deno.pid, heal: false },
      port: port2,
    }, { transfer: [port2] });
    const caller = { transport: "shell", who: `process ${Deno.pid}` } as const;
    const result = await tools.call(name, { args, caller }, options);
    await room.peer.call("stop", undefined);
    return result;
  } finally {
    port1.close();
    room.end(new AgentError("CANCELLED", "The call has ended."));
  }
}

/** `lost` rejects when the room is lost, and never resolves. No act of the host is needed for one call. */
function openToolsRoom(
  entries: RoomEntries,
  grants: Grants,
): Room<ToolsRoom> & { readonly lost: Promise<never> } {
  const { promise: lost, reject } = Promise.withResolvers<never>();
  lost.catch(() => {});
  const room = openRoom<ToolsRoom>({
    name: "tools",
    entry: entries.tools,
    grants,
    handlers: {},
    onLost({ why }) {
      const error = new AgentError("OUTCOME_UNKNOWN", `The tools room is lost: ${why}.`, {
        hint: "Read the current state before you try again.",
      });
      room.end(error);
      reject(error);
    },
  });
  return { ...room, lost };
}
