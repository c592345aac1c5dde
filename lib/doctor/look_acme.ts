/** A dry look at the CA and the DNS provider: an acme room that asks, and orders nothing. */
import type { AcmeActs, AcmeLook } from "../certificates/acme/acts.ts";
import type { Settings } from "../config.ts";
import { AgentError } from "../errors.ts";
import type { Looked } from "../looked.ts";
import { connect, type Handlers } from "../rpc/mod.ts";
import { runAcmeRoom } from "../supervisor/host/acme_room.ts";
import { assertAcmeSh } from "../supervisor/host/acme_sh.ts";
import { challengeLookUp } from "../supervisor/host/challenge.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import type { Examination } from "../../tools/examine.ts";
import { isAcmeUsed } from "./certificates.ts";

/** The CA and the DNS provider have 30 s each for an answer. */
const LOOK_MS = 40_000;
/** Each may be a question more to the DNS provider. */
const MAX_DOMAINS = 5;

/** Throws UNSUPPORTED where acme.sh is missing, VALIDATION for a secret's file; see Seen.acme. */
export async function lookAtAcme(
  { acme, logging }: Pick<Settings, "acme" | "logging">,
  { acme: entry }: Pick<RoomEntries, "acme">,
  room: Looked<Examination>,
): Promise<AcmeLook | null> {
  const files = "value" in room ? room.value.files : room;
  const inventory = "value" in files ? files.value.inventory : files;
  const managed = "value" in inventory
    ? inventory.value.filter(({ managed }) => managed).map(({ name }) => name)
    : [];
  if (!isAcmeUsed(acme, managed.length)) return null;
  const registered = "value" in files && "value" in files.value.registered &&
    files.value.registered.value;
  if (acme.client === "acme.sh") assertAcmeSh(acme, Deno.env.get("PATH") ?? "");

  const { port1, port2 } = new MessageChannel();
  const over = new AbortController();
  const handlers = { lookUpChallenge: challengeLookUp(acme) };
  const running = runAcmeRoom(port2, { acme, logging, entry, handlers }, { signal: over.signal });
  const lost = running.then(() => {
    throw new AgentError("ACME", "The acme room ended.");
  });
  try {
    const domains = managed.slice(0, MAX_DOMAINS);
    const asked = connect<AcmeActs & Handlers>(port1)
      .call("look", { domains, registered }, { deadlineMs: LOOK_MS });
    return await Promise.race([lost, asked]);
  } finally {
    over.abort(new AgentError("CANCELLED", "The look has ended."));
    port1.close();
    await running.catch(() => {});
  }
}
