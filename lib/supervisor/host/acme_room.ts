/** The acme room: opened for whoever orders certificates, with the CA and the DNS provider in its reach. */
import type { AcmeSettings, Logging } from "../../config.ts";
import type {
  AcmeHostActs,
  AcmeRoomSettings,
  StartAcmeRoom,
} from "../../certificates/acme/acts.ts";
import { AgentError } from "../../errors.ts";
import type { CallContext, Handlers } from "../../rpc/mod.ts";
import { acmeGrants } from "../grants.ts";
import { openRoom } from "../room.ts";
import { unlessAborted } from "../../pause.ts";
import { readCaFile, readSecret } from "./secrets.ts";

const START_MS = 10_000;
/** TXT records of an order that was cut off are removed yet. */
const STOP_MS = 60_000;

/** What main calls of the acme room. */
type AcmeRoom = {
  start(args: StartAcmeRoom): void;
  /** Resolves when no TXT record is left to be removed. */
  stop(_: void): Promise<void>;
};

export interface AcmeRoomOptions {
  readonly acme: AcmeSettings;
  readonly logging: Logging;
  readonly entry: URL;
  /** What the room may call of main. */
  readonly handlers: Handlers & Record<keyof AcmeHostActs, unknown>;
}

/**
 * Runs a room behind `port` until the signal aborts, and then until its TXT records are removed. Throws the signal's reason,
 * ACME where the room is lost, VALIDATION.
 */
export async function runAcmeRoom(
  port: MessagePort,
  { acme, logging, entry, handlers }: AcmeRoomOptions,
  { signal }: Pick<CallContext, "signal">,
): Promise<void> {
  if (!(port instanceof MessagePort)) throw new AgentError("VALIDATION", "acmeRoom needs a port.");
  const settings = await roomSettings(acme).catch((cause) => {
    port.close();
    throw cause;
  });
  const { promise: lost, reject } = Promise.withResolvers<never>();
  let isLost = false;
  const room = openRoom<AcmeRoom>({
    name: "acme",
    entry,
    grants: acmeGrants(acme),
    handlers,
    onLost({ why }) {
      isLost = true;
      reject(new AgentError("ACME", `The acme room is lost: ${why}.`));
    },
  });
  try {
    const started = room.peer.call("start", { settings, logging, port }, {
      transfer: [port],
      deadlineMs: START_MS,
    });
    await unlessAborted(Promise.race([lost, started.then(() => lost)]), signal);
  } finally {
    if (!isLost) {
      const stopped = room.peer.call("stop", undefined, { deadlineMs: STOP_MS });
      await Promise.race([stopped, lost]).catch(() => {});
    }
    room.end(new AgentError("CANCELLED", "The acme room's call has ended."));
  }
}

/** The room's part of the settings, secrets in clear. Throws VALIDATION for a file that can't be read. */
export async function roomSettings(acme: AcmeSettings): Promise<AcmeRoomSettings> {
  const { directory, email, caFile, eab, cloudflare, dnsWait } = acme;
  const { token, accountId, zoneId, api } = cloudflare;
  return {
    directory,
    ...(email && { email }),
    ...(caFile && { caPem: await readCaFile(caFile) }),
    ...(eab && {
      eab: { kid: await readSecret(eab.kid), hmacKey: await readSecret(eab.hmacKey) },
    }),
    cloudflare: {
      ...(token && { token: await readSecret(token) }),
      ...(accountId && { accountId: await readSecret(accountId) }),
      ...(zoneId && { zoneId: await readSecret(zoneId) }),
      api,
    },
    dnsWait,
  };
}
