/** The tools room: runs tools for callers that reach it by the port that main hands over. */
import { type CallContext, connect, type Handlers, type Port } from "../lib/rpc/mod.ts";
import { AgentError } from "../lib/errors.ts";
import type { AutomaticOptions } from "../lib/issuance/automatic.ts";
import { logWithin, openLog } from "../lib/log.ts";
import type { FrontEars, ResourceDefinition } from "../lib/resource_definition.ts";
import type { ToolCall, ToolDefinition } from "../lib/tool_definition.ts";
import { backup, type BackupOrder, restore, type RestoreOrder } from "./backup.ts";
import { complete } from "./completions.ts";
import { openContext, type ToolContext, type ToolsSettings } from "./context.ts";
import { type Examination, examine, type ExamineRequest } from "./examine.ts";
import type { HostActs } from "./host_acts.ts";
import { measure } from "./measure.ts";
import { openOverviews } from "./overview.ts";
import type { Publish } from "./resource_changes.ts";
import { listResources, readResource, resources } from "./resources.ts";
import type { Tool, ToolCallContext } from "./tool.ts";

export interface StartToolsRoom {
  readonly settings: ToolsSettings;
  /** Calls to tools come through this port; those that came before the start wait in it. */
  readonly port: MessagePort;
}

/** All that is offered to clients. */
export interface Catalogue {
  readonly tools: readonly ToolDefinition[];
  readonly resources: readonly ResourceDefinition[];
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
  let tell: Publish = () => {};

  const room = {
    /** The tables as data. Touches no file and no HAProxy. */
    catalogue: (_: void): Catalogue => ({
      tools: table.map(({ definition }) => definition),
      resources: resources.map(({ definition }) => definition),
    }),

    /** What `doctor` is told. Opens nothing, and leaves no trace. */
    examine: (request: ExamineRequest): Promise<Examination> => examine(request),

    /** Takes the lock once, so that nobody before us still writes, then answers calls from the port. */
    async start({ settings, port }: StartToolsRoom): Promise<void> {
      openLog("tools", settings.logging);
      try {
        context = await openContext(settings, host, {
          renewals,
          // Calls are cheaper where nobody can be told: the shell's process ends with its one call.
          ...(settings.heal && { publish: (changes) => tell(changes) }),
        });
      } catch (cause) {
        if (AgentError.from(cause).details?.predecessor === true) {
          await host.call("predecessorHoldsLock", { room: settings.room });
        }
        throw cause;
      }
      const front = connect<FrontEars>(port, {
        ...toolHandlers(context),
        ...readHandlers(context),
      });
      tell = (changes) => void front.call("resourcesChanged", changes).catch(() => {});
    },

    /** Once it is started. Main alone may order these two: what they carry holds keys. */
    backup: (order: BackupOrder, call: CallContext) => backup(order, context!, call),
    restore: (order: RestoreOrder, call: CallContext) => restore(order, context!, call),

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
      async ({ args, caller, verdict }: ToolCall, call) => {
        const key = {};
        const inCall: ToolCallContext = { ...call, caller, verdict };
        const onAbort = () => cancelled.set(key, { tool: name, at: performance.now() });
        call.signal.addEventListener("abort", onAbort);
        try {
          return await logWithin(caller.requestId, () => run(args, opened, inCall));
        } finally {
          call.signal.removeEventListener("abort", onAbort);
          cancelled.delete(key);
        }
      },
    ]));
  }

  /** What front asks for beside tools: named so that no tool can be. */
  function readHandlers(opened: ToolContext): Handlers {
    const overviews = openOverviews(opened);
    return {
      "resources/list": (args, _call) => listResources(args, opened),
      "resources/read": (args, call) => readResource(args, opened, call),
      complete: (question) => complete(question, opened),
      measure: (_, { signal }) => measure(opened, signal),
      overview: (question) => overviews.read(question),
    };
  }

  const host = connect<HostActs & Handlers>(control, room);
  return room;
}
