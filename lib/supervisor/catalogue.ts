/** What is offered to clients, as data. */
import type { Catalogue, ToolsRoom } from "../../tools/room.ts";
import type { Peer } from "../rpc/mod.ts";
import type { RoomEntries } from "./room.ts";

/**
 * As it was written down when the executable was compiled: to make fifty JSON Schemas would take a tools room a tenth of
 * the time to start. Undefined in a checkout, whose tools may have changed since.
 */
export function compiledCatalogue({ catalogue }: RoomEntries): Catalogue | undefined {
  return catalogue && JSON.parse(Deno.readTextFileSync(catalogue));
}

export async function catalogueOf(
  entries: RoomEntries,
  room: Pick<Peer<ToolsRoom>, "call">,
): Promise<Catalogue> {
  return compiledCatalogue(entries) ?? await room.call("catalogue", undefined);
}
