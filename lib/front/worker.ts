/** The front room's entry. */
/// <reference lib="deno.worker" />
import { openFrontRoom } from "./room.ts";

openFrontRoom(self);
