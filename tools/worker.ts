/** The tools room's entry: only the opening call. */
/// <reference lib="deno.worker" />
import { tools } from "./mod.ts";
import { openToolsRoom } from "./room.ts";

openToolsRoom(self, tools);
