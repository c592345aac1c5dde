/** The acts about certificates: the acme room with its look-up of challenges, and acme.sh. */
import type { Settings } from "../../config.ts";
import { pause, unlessAborted } from "../../pause.ts";
import type { CallContext, Handlers } from "../../rpc/mod.ts";
import type { HostActs } from "../../../tools/host_acts.ts";
import type { RoomEntries } from "../room.ts";
import { runAcmeRoom } from "./acme_room.ts";
import { acmeShActs } from "./acme_sh.ts";
import { challengeLookUp } from "./challenge.ts";

/** The process does not end sooner while TXT records are being removed. */
const SETTLE_MS = 10_000;

type ActNames = "acmeRoom" | "acmeShIssue" | "acmeShForget";
export type CertificateActs = {
  readonly [Name in ActNames]: (
    args: Parameters<HostActs[Name]>[0],
    context: Pick<CallContext, "signal">,
  ) => ReturnType<HostActs[Name]>;
};

export interface CertificateHost {
  readonly acts: CertificateActs & Handlers;
  /** Resolves when nothing goes on behind calls that were cancelled, or after 10 s. */
  settled(): Promise<void>;
}

/**
 * @param settings with a real root (prepareRoot)
 * @param path as in $PATH; where acme.sh lies is settled here
 */
export function certificateHost(
  { acme, files, logging }: Pick<Settings, "acme" | "files" | "logging">,
  { acme: entry }: Pick<RoomEntries, "acme">,
  path: string = Deno.env.get("PATH") ?? "",
): CertificateHost {
  const going = new Set<Promise<unknown>>();
  // It remembers the zones' servers longer than a room lives.
  const handlers = { lookUpChallenge: challengeLookUp(acme) };
  const { acmeShIssue, acmeShForget } = acmeShActs({ acme, files, path });

  /** A cancelled call has to answer within a second (GRACE_MS of lib/rpc); what it has to clean up may take longer. */
  async function promptly<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    const ended = work.catch(() => {}).finally(() => going.delete(ended));
    going.add(ended);
    return await unlessAborted(work, signal);
  }

  return {
    acts: {
      acmeRoom: ({ port }, context) =>
        promptly(runAcmeRoom(port, { acme, logging, entry, handlers }, context), context.signal),
      acmeShIssue: (args, context) => promptly(acmeShIssue(args, context), context.signal),
      acmeShForget,
    },
    async settled() {
      if (going.size > 0) await Promise.race([Promise.allSettled(going), pause(SETTLE_MS)]);
    },
  };
}
