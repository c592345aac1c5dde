/** The ACME client (RFC 8555): @fishballpkg/acme, with time limits, cancellation, and the CA's problems as errors. */
import { AsyncLocalStorage } from "node:async_hooks";
import { AcmeAccount, AcmeClient, BadNonceError, CryptoKeyUtils } from "@fishballpkg/acme";
import { AgentError } from "../../errors.ts";
import { log } from "../../log.ts";
import type { AcmeAccountKey, AcmeRoomSettings } from "./acts.ts";
import type { Outgoing } from "./outgoing.ts";
import { isBadNonce, problemError } from "./problem.ts";
import { persist } from "./retry_after.ts";

/** What a request belongs to. */
export interface Step {
  /** What the CA is asked to do, for errors: `order a certificate for example.com`. */
  readonly doing: string;
  readonly signal: AbortSignal;
}

export interface Client {
  readonly host: string;
  /**
   * Carries out a step: whatever the library fetches in it is cancelled by the step's signal, and a problem that
   * the CA answers is an AgentError. Refused nonces, and waits of some seconds, are tried again: the work is one that a
   * refusal leaves undone.
   *
   * @throws {AgentError} ACME, TIMEOUT; the signal's reason
   */
  step<T>(step: Step, work: () => Promise<T>): Promise<T>;
  /** The CA with its directory, which is read once: a room does not live long. */
  connect(signal: AbortSignal): Promise<AcmeClient>;
  /** The account without asking the CA for it. */
  account(client: AcmeClient, existing: AcmeAccountKey): Promise<AcmeAccount>;
  /** A GET without a signature. */
  get(url: string, step: Step): Promise<Response>;
  quote(words: unknown): string;
}

const steps = new AsyncLocalStorage<Step & { readonly fetch: typeof fetch }>();
const outerFetch = globalThis.fetch;
/** Outside of a step everything is as it was. The library knows no other way to be told how to fetch. */
const innerFetch: typeof fetch = (input, init) =>
  (steps.getStore()?.fetch ?? outerFetch)(input, init);

export function openClient(settings: AcmeRoomSettings, outgoing: Outgoing): Client {
  globalThis.fetch = innerFetch;
  let connected: AcmeClient | undefined;
  const { host } = new URL(settings.directory);
  const who = `The CA ${host}`;

  async function fetchInStep(input: string | URL | Request, init: RequestInit = {}) {
    const { doing, signal } = steps.getStore()!;
    const response = await outgoing.request(who, String(input), { ...init, signal });
    // The library itself tries again with another nonce.
    if (response.status < 400 || await isBadNonce(response)) return response;
    throw await problemError(response, { who, doing, quote: outgoing.quote });
  }

  async function step<T>({ doing, signal }: Step, work: () => Promise<T>): Promise<T> {
    try {
      const inStep = { doing, signal, fetch: fetchInStep as typeof fetch };
      return await persist(
        signal,
        () => steps.run(inStep, work),
        (cause) => cause instanceof BadNonceError,
      );
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof AgentError) throw cause;
      // What else the library throws holds whatever the CA sent: only its kind is told.
      log.debug(
        `${who} was asked to ${doing}: ${cause instanceof Error ? cause.name : typeof cause}`,
      );
      const why = cause instanceof BadNonceError
        ? "it refused one nonce after another"
        : "its answer can't be read";
      throw new AgentError("ACME", `${who} was asked to ${doing}, but ${why}.`, {
        hint: "Look whether ACME_DIRECTORY is the URL of an ACME directory, and try again.",
      });
    }
  }

  return {
    host,
    step,
    quote: outgoing.quote,
    async connect(signal) {
      return connected ??= await step({ doing: "show its directory", signal }, async () => {
        const client = await AcmeClient.init(settings.directory);
        const { newNonce, newAccount, newOrder } = client.directory ?? {};
        for (const url of [newNonce, newAccount, newOrder]) new URL(url);
        return client;
      });
    },
    async account(client, { key, url }) {
      const keyPair = await importKey(key);
      // The certificate's key is P-256, whatever the account's is.
      return new AcmeAccount({ client, url, keyPair, keyPairAlgorithm: "ec-p256" });
    },
    get: (url, inStep) => step(inStep, () => fetch(url)),
  };
}

/** @throws {AgentError} ACME, without a word of the key */
export async function importKey(pem: string): Promise<CryptoKeyPair> {
  try {
    return await CryptoKeyUtils.importKeyPairFromPemPrivateKey(pem);
  } catch {
    throw new AgentError("ACME", "The ACME account's private key can't be read.", {
      hint: "Remove the stored account, so that a new one is registered.",
    });
  }
}
