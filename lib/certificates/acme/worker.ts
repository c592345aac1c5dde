/** The acme room's entry: only the opening call. */
/// <reference lib="deno.worker" />
import { openAcmeRoom } from "./room.ts";

openAcmeRoom(self);
