/** The acme room: orders certificates. It reaches the CA and the DNS provider, and nothing else. */
import { openLog } from "../../log.ts";
import { type CallContext, connect, type Handlers, type Port } from "../../rpc/mod.ts";
import { checkBinding, openAccount } from "./account.ts";
import type {
  AcmeAccountKey,
  AcmeActs,
  AcmeHostActs,
  AcmeOrderRequest,
  StartAcmeRoom,
} from "./acts.ts";
import { openChallengeRecords } from "./challenge_records.ts";
import { openClient } from "./client.ts";
import { openCloudflare } from "./cloudflare.ts";
import { lookAround } from "./look.ts";
import { orderCertificate } from "./order.ts";
import { openOutgoing } from "./outgoing.ts";
import { readRenewalInfo } from "./renewal_info.ts";

/** Milliseconds for main's look at the zone's servers. */
const LOOK_UP_MS = 15_000;

/** What main may call of the acme room. */
export type AcmeRoom = ReturnType<typeof openAcmeRoom>;

export function openAcmeRoom(control: Port) {
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();
  let close: () => Promise<void> = () => Promise.resolve();
  let stopped: Promise<void> | undefined;

  /** A handler whose calls end with the room, too. */
  function untilClosing<Args, Result>(
    handler: (args: Args, context: CallContext) => Promise<Result>,
  ) {
    return async (args: Args, context: CallContext): Promise<Result> => {
      const signal = AbortSignal.any([context.signal, closing.signal]);
      const call = handler(args, { ...context, signal });
      running.add(call);
      try {
        return await call;
      } finally {
        running.delete(call);
      }
    };
  }

  const room = {
    /** From now on the port's other end is answered: AcmeActs. */
    start({ settings, logging, port }: StartAcmeRoom): void {
      openLog("acme", logging);
      const { token } = settings.cloudflare;
      const outgoing = openOutgoing({
        caPem: settings.caPem,
        secrets: [token, settings.eab?.hmacKey].filter((secret) => secret !== undefined),
      });
      const client = openClient(settings, outgoing);
      const dns = openCloudflare(settings.cloudflare, outgoing);
      const records = openChallengeRecords();
      close = async () => {
        await records.removed();
        outgoing.close();
      };
      const handlers = {
        account: untilClosing((existing: AcmeAccountKey | undefined, { signal }) =>
          openAccount(client, settings, existing, signal)
        ),
        order: untilClosing((request: AcmeOrderRequest, context) =>
          orderCertificate(request, { client, dns, records, lookUp, settings }, context)
        ),
        check: untilClosing(
          async (
            { domain, registered }: { readonly domain: string; readonly registered: boolean },
            { signal },
          ) => {
            const { name } = await dns.zoneOf(domain, signal);
            await checkBinding(client, settings, registered, signal);
            return { zone: name };
          },
        ),
        look: untilClosing(
          (args: Parameters<AcmeActs["look"]>[0], { signal }) =>
            lookAround({ client, dns, settings }, args, signal),
        ),
        renewalInfo: untilClosing(({ id }: { readonly id: string }, { signal }) =>
          readRenewalInfo(client, id, signal)
        ),
      } satisfies { readonly [Act in keyof AcmeActs]: unknown };
      connect(port, handlers);
    },

    /** Cancels what is running. Resolves when no record is left to be removed. */
    stop(_: void): Promise<void> {
      closing.abort(new DOMException("The acme room closes.", "AbortError"));
      return stopped ??= Promise.allSettled(running).then(close);
    },
  };

  const main = connect<AcmeHostActs & Handlers>(control, room);
  const lookUp = (domain: string, signal: AbortSignal) =>
    main.call("lookUpChallenge", { domain }, { signal, deadlineMs: LOOK_UP_MS });
  return room;
}
