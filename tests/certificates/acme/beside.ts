/** The acme room as main opens it, beside a rig: a worker that may reach the CA and the DNS provider. */
import assert from "node:assert/strict";
import type {
  AcmeAccountKey,
  AcmeActs,
  AcmeHostActs,
  AcmeOrdered,
  AcmeOrderRequest,
  AcmeRoomSettings,
  StartAcmeRoom,
} from "../../../lib/certificates/acme/acts.ts";
import type { AcmeRoom } from "../../../lib/certificates/acme/room.ts";
import { AgentError, type ErrorCode } from "../../../lib/errors.ts";
import { type CallOptions, connect, type Handlers } from "../../../lib/rpc/mod.ts";
import { openRoom } from "../../../lib/supervisor/room.ts";
import { lookUpTxt } from "../../support/acme/pebble.ts";
import type { AcmeRig } from "../../support/acme/rig.ts";

export const ENTRY = new URL("../../../lib/certificates/acme/worker.ts", import.meta.url);

export interface BesideOptions {
  readonly settings?: Partial<Omit<AcmeRoomSettings, "cloudflare">>;
  readonly cloudflare?: Partial<AcmeRoomSettings["cloudflare"]>;
  /** In the place of a look at the rig's DNS server. */
  readonly lookUp?: AcmeHostActs["lookUpChallenge"];
  readonly entry?: URL;
}

export type Beside = Awaited<ReturnType<typeof openBeside>>;

export async function openBeside(rig: AcmeRig, options: BesideOptions = {}) {
  const settings: AcmeRoomSettings = {
    directory: rig.directory,
    email: "ops@example.test",
    caPem: rig.caPem,
    ...rig.eab && { eab: rig.eab },
    dnsWait: 5,
    ...options.settings,
    cloudflare: { token: rig.cloudflare.token, api: rig.cloudflare.api, ...options.cloudflare },
  };
  let looks = 0;
  const lookUp = options.lookUp ?? (async ({ domain }) => {
    const values = await lookUpTxt(rig.dnsServer, `_acme-challenge.${domain}`);
    return [{ server: rig.dnsServer, values: values.map((strings) => strings.join("")) }];
  });
  const handlers: AcmeHostActs & Handlers = {
    lookUpChallenge(args) {
      looks++;
      return lookUp(args);
    },
  };
  const room = openRoom<AcmeRoom & Handlers>({
    name: "acme",
    entry: options.entry ?? ENTRY,
    grants: {
      net: [settings.directory, settings.cloudflare.api].map((url) => new URL(url).host),
    },
    handlers,
    onLost: () => {},
  });
  const { port1, port2 } = new MessageChannel();
  const acts = connect<AcmeActs & Handlers>(port1);
  const end = () => {
    room.end(new AgentError("INTERNAL", "The test is over."));
    port1.close();
  };
  try {
    const start: StartAcmeRoom = {
      settings,
      logging: { level: "ERROR", format: "text" },
      port: port2,
    };
    await room.peer.call("start", start, { transfer: [port2] });
  } catch (cause) {
    end();
    throw cause;
  }
  const beside = {
    acts,
    room,
    looks: () => looks,
    /** With an account that is registered for it. */
    async order(
      request: Partial<AcmeOrderRequest> & { readonly domain: string },
      callOptions?: CallOptions,
    ): Promise<AcmeOrdered> {
      const account = request.account ?? await beside.register();
      return await acts.call("order", { wildcard: false, ...request, account }, callOptions);
    },
    register: (existing?: AcmeAccountKey) => acts.call("account", existing),
    [Symbol.asyncDispose]: async () => {
      await room.peer.call("stop", undefined);
      end();
    },
  };
  return beside;
}

/** The error, which has that code and none of the rig's secrets. */
export async function failure(
  rig: AcmeRig,
  work: Promise<unknown>,
  code: ErrorCode = "ACME",
): Promise<AgentError> {
  const error = await work.then(() => undefined, (cause) => cause);
  assert.ok(error instanceof AgentError, "it did not fail");
  const text = JSON.stringify(error.toData());
  assert.equal(error.code, code, text);
  for (const secret of [rig.cloudflare.token, rig.eab?.hmacKey, "PRIVATE KEY"]) {
    assert.ok(secret === undefined || !text.includes(secret), text);
  }
  return error;
}

/** Nothing of ours is at the stand-in, nor in the DNS. */
export async function assertNoRecordLeft(rig: AcmeRig, domain: string): Promise<void> {
  assert.deepEqual(rig.cloudflare.records(), []);
  assert.deepEqual(await lookUpTxt(rig.dnsServer, `_acme-challenge.${domain}`), []);
}
