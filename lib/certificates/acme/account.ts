/** The account at the CA: logs in, or registers with External Account Binding where the CA wants it. */
import { type AcmeClient, CryptoKeyUtils } from "@fishballpkg/acme";
import { AgentError } from "../../errors.ts";
import { log } from "../../log.ts";
import type { AcmeAccountKey, AcmeRoomSettings } from "./acts.ts";
import { type Client, importKey } from "./client.ts";
import { problemOf } from "./problem.ts";

type Settings = Pick<AcmeRoomSettings, "email" | "eab">;

/** Where a pair comes from, for CAs that the agent knows by name. */
const EAB_SOURCES: readonly (readonly [host: RegExp, source: string])[] = [
  [
    /\.pki\.goog(:\d+)?$/,
    "Google Trust Services gives them by `gcloud publicca external-account-keys create`, or on the page Public CA of the Google Cloud console",
  ],
];

/**
 * Logs in with the existing key; an account that the CA doesn't know any more is replaced by a new one with a new key.
 *
 * @throws {AgentError} ACME, TIMEOUT; the signal's reason
 */
export async function openAccount(
  client: Client,
  settings: Settings,
  existing: AcmeAccountKey | undefined,
  signal: AbortSignal,
): Promise<AcmeAccountKey> {
  const ca = await client.connect(signal);
  if (existing) {
    const url = await logIn(client, ca, existing, signal);
    if (url !== undefined) return { key: existing.key, url };
    log.info(`The CA ${client.host} knows the stored account no more: a new one is registered.`);
  }
  return await register(client, ca, settings, signal);
}

/** Throws ACME where the CA can't be reached, or wants an account to be bound and nothing is there to bind it with. */
export async function checkBinding(
  client: Client,
  { eab }: Settings,
  registered: boolean,
  signal: AbortSignal,
): Promise<void> {
  const ca = await client.connect(signal);
  const wanted = ca.directory.meta?.externalAccountRequired === true;
  if (wanted && !eab && !registered) throw eabMissing(client.host);
  if (wanted && eab) readHmacKey(eab.hmacKey);
}

/** @returns the account's URL; undefined when there is no such account */
async function logIn(
  client: Client,
  ca: AcmeClient,
  existing: AcmeAccountKey,
  signal: AbortSignal,
): Promise<string | undefined> {
  const keyPair = await importKey(existing.key);
  try {
    const account = await client.step(
      { doing: "find the account", signal },
      () => ca.login({ keyPair }),
    );
    return account.url;
  } catch (cause) {
    if (problemOf(cause) === "accountDoesNotExist") return undefined;
    throw cause;
  }
}

async function register(
  client: Client,
  ca: AcmeClient,
  { email, eab }: Settings,
  signal: AbortSignal,
): Promise<AcmeAccountKey> {
  const wanted = ca.directory.meta?.externalAccountRequired === true;
  if (wanted && !eab) throw eabMissing(client.host);
  // A pair belongs to one CA: it is shown to none that does not ask.
  if (eab && !wanted) log.debug(`The CA ${client.host} wants no External Account Binding.`);
  const externalAccountBinding = wanted && eab
    ? { kid: eab.kid, hmacKey: readHmacKey(eab.hmacKey) }
    : undefined;
  try {
    const { keyPair, url } = await client.step(
      { doing: "register an account", signal },
      () =>
        ca.createAccount({
          emails: email ? [email] : [],
          externalAccountBinding,
          keyPairAlgorithm: "ec-p256",
        }),
    );
    const { privateKey } = await CryptoKeyUtils.exportKeyPairToPem(keyPair);
    return { key: `${privateKey}\n`, url };
  } catch (cause) {
    if (!externalAccountBinding || problemOf(cause) === undefined) throw cause;
    const { message, hint, details } = AgentError.from(cause);
    throw new AgentError("ACME", message, {
      hint: hint ??
        `Look whether ACME_EAB_KID and ACME_EAB_HMAC_KEY are a pair that this CA gave and that was not used yet.${
          eabSource(client.host)
        }`,
      details,
    });
  }
}

function eabMissing(host: string): AgentError {
  return new AgentError("ACME", `The CA ${host} wants External Account Binding.`, {
    hint: `Set ACME_EAB_KID and ACME_EAB_HMAC_KEY to a pair that the CA gives its customers.${
      eabSource(host)
    }`,
  });
}

function eabSource(host: string): string {
  const source = EAB_SOURCES.find(([pattern]) => pattern.test(host))?.[1];
  return source ? ` ${source}.` : "";
}

/** In base64url without padding, as the library takes it; people also paste plain base64. */
function readHmacKey(text: string): string {
  const key = text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  // HS256 needs 32 bytes (RFC 7518, 3.2).
  if (/^[\w-]{43,}$/.test(key) && key.length % 4 !== 1) return key;
  throw new AgentError("ACME", "ACME_EAB_HMAC_KEY is not a base64url key of 32 bytes or more.", {
    hint: "Copy it once more from where the CA shows it.",
  });
}
