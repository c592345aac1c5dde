/** From what changed on disk to the notifications of each era: one bus, on which every subscription hangs. */
import type { ServerEventBus } from "@modelcontextprotocol/server";
import type { ResourceChanges } from "../../resource_definition.ts";
import { log } from "../../log.ts";
import type { Connection } from "./asked.ts";

/** Tells the bus, and with it all that are subscribed in any era. */
export function publish(bus: ServerEventBus, { list, updated }: ResourceChanges): void {
  if (list) bus.publish({ kind: "resources_list_changed" });
  for (const uri of updated) bus.publish({ kind: "resource_updated", uri });
}

/**
 * Sends a connection what it has subscribed to, until it closes. Over stdio in the 2026-07-28 era
 * all of it: the SDK's own router picks what the client listens to.
 */
export function forwardChanges(
  { server, subscribed }: Connection,
  era: "legacy" | "modern",
  bus: ServerEventBus,
): void {
  const forward = (sending: Promise<void>) =>
    void sending.catch((cause) => log.debug(`MCP: a notification was not sent: ${cause.message}`));
  const leave = bus.subscribe((event) => {
    // Before its initialize has been answered a client expects none.
    if (era === "legacy" && server.getClientCapabilities() === undefined) return;
    if (event.kind === "resources_list_changed") forward(server.sendResourceListChanged());
    if (event.kind !== "resource_updated") return;
    const { uri } = event;
    if (era === "modern" || subscribed.has(uri)) forward(server.sendResourceUpdated({ uri }));
  });
  server.onclose = leave;
}
