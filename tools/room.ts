/** The tools room: runs tools for callers that reach it by the port that main hands over. */
import { connect, type Handlers, type Port } from "../lib/rpc/mod.ts";
import { AgentError } from "../lib/errors.ts";
import type { AutomaticOptions } from "../lib/issuance/automatic.ts";
import { openLog } from "../lib/log.ts";
import type { ToolCall, ToolDefinition } from "../lib/tool_definition.ts";
import { openContext, type ToolContext, type ToolsSettings } from "./context.ts";
import type { HostActs } from "./host_acts.ts";
import type { Tool, ToolCallContext } from "./tool.ts";

export interface StartToolsRoom {
  readonly settings: ToolsSettings;
  /** Calls to tools come through this port; those that came before the start wait in it. */
  readonly port: MessagePort;
}

/** What main may call of the tools room. */
export type ToolsRoom = ReturnType<typeof openToolsRoom>;

/** @param renewals when `serve` looks at the certificates */
export function openToolsRoom(
  control: Port,
  table: readonly Tool[],
  renewals?: AutomaticOptions,
) {
  const cancelled = new Map<object, { readonly tool: string; readonly at: number }>();
  let context: ToolContext | undefined;

  const room = {
    /** The table as data. Touches no file and no HAProxy. */
    definitions: (_: void): ToolDefinition[] => table.map(({ definition }) => definition),

    /** Takes the lock once, so that nobody before us still writes, then answers calls from the port. */
    async start({ settings, port }: StartToolsRoom): Promise<void> {
      openLog("tools", settings.logLevel);
      try {
        context = await openContext(settings, host, renewals);
      } catch (cause) {
        if (AgentError.from(cause).details?.predecessor === true) {
          await host.call("predecessorHoldsLock", { room: settings.room });
        }
        throw cause;
      }
      connect(port, toolHandlers(context));
    },

    /** The tools that were cancelled at least `ms` ago and have not answered yet. */
    deaf({ ms }: { readonly ms: number }): string[] {
      const late = [...cancelled.values()].filter(({ at }) => performance.now() - at >= ms);
      return late.map(({ tool }) => tool);
    },

    async stop(_: void): Promise<void> {
      await context?.close();
    },
  };

  function toolHandlers(opened: ToolContext): Handlers {
    return Object.fromEntries(table.map(({ definition: { name }, run }) => [
      name,
      async ({ args, caller }: ToolCall, call) => {
        const key = {};
        const inCall: ToolCallContext = { ...call, caller };
        const onAbort = () => cancelled.set(key, { tool: name, at: performance.now() });
        call.signal.addEventListener("abort", onAbort);
        try {
          return await run(args, opened, inCall);
        } finally {
          call.signal.removeEventListener("abort", onAbort);
          cancelled.delete(key);
        }
      },
    ]));
  }

  const host = connect<HostActs & Handlers>(control, room);
  return room;
}
