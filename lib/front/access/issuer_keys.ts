/**
 * The OAuth issuer's public keys: asked for when a token first needs them, then kept. Whoever sends tokens decides how
 * often keys are looked up, but never how often the issuer is asked.
 */
import { createLocalJWKSet, errors, type JWTVerifyGetKey, type LocalJWKSet } from "jose";
import type { OAuthSettings } from "../../config.ts";
import { log } from "../../log.ts";

/** Milliseconds. */
export interface KeyTimes {
  /** Keys are asked for again after it, so that one that the issuer gave up is given up here. */
  readonly refresh: number;
  /** Where the issuer can't be asked, the last keys hold for so long: as long as tokens usually do. */
  readonly most: number;
  /** Keys that are younger are not asked for again because a token names another one. */
  readonly cooldown: number;
  /** From a failure to the next attempt. */
  readonly retry: number;
  /** For all that is fetched at once. */
  readonly deadline: number;
}

const TIMES: KeyTimes = {
  refresh: 600_000,
  most: 3_600_000,
  cooldown: 30_000,
  retry: 5_000,
  deadline: 5_000,
};
const WARN_EVERY_MS = 60_000;
/** Metadata and keys are some kilobytes each. */
const MOST_BYTES = 512 * 1024;

/** No keys to check a token with. The log says why. */
export class IssuerUnreachable extends Error {
  override readonly name = "IssuerUnreachable";
}

/** What jose asks for a token's key. Throws IssuerUnreachable, and jose's JWKSNoMatchingKey and the like. */
export function createIssuerKeys(
  settings: OAuthSettings,
  wishes: Partial<KeyTimes> = {},
): JWTVerifyGetKey {
  const times = { ...TIMES, ...wishes };
  let keys: LocalJWKSet | undefined;
  let loadedAt = -Infinity;
  let failedAt = -Infinity;
  let warnedAt = -Infinity;
  let loading: Promise<void> | undefined;
  const since = (at: number) => performance.now() - at;

  async function load(): Promise<void> {
    try {
      const signal = AbortSignal.timeout(times.deadline);
      const url = settings.jwksUrl ?? await discoverKeysUrl(settings.issuer, signal);
      keys = createLocalJWKSet(
        await fetchJson(url, signal) as Parameters<typeof createLocalJWKSet>[0],
      );
      loadedAt = performance.now();
    } catch (error) {
      failedAt = performance.now();
      warn(error);
    } finally {
      loading = undefined;
    }
  }

  function warn(error: unknown): void {
    if (since(warnedAt) < WARN_EVERY_MS) return;
    warnedAt = performance.now();
    const hint = "Look whether this machine reaches it";
    log.warning(`The OAuth issuer's keys can't be had: ${reason(error)}. ${hint}.`);
  }

  /**
   * Keys that are younger than this, or else the last ones.
   *
   * @param patient waits for younger ones although the last ones hold
   */
  async function current(maxAge: number, patient: boolean): Promise<LocalJWKSet> {
    const isDue = since(loadedAt) >= maxAge && (loading || since(failedAt) >= times.retry);
    const refreshing = isDue ? loading ??= load() : undefined;
    if (patient || !keys || since(loadedAt) >= times.most) await refreshing;
    if (!keys || since(loadedAt) >= times.most) throw new IssuerUnreachable();
    return keys;
  }

  return async (header, token) => {
    try {
      return await (await current(times.refresh, false))(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      return await (await current(times.cooldown, true))(header, token);
    }
  };
}

/** RFC 8414, 3.1, then OpenID Connect Discovery, 4.1. */
async function discoverKeysUrl(issuer: string, signal: AbortSignal): Promise<string> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, "");
  const urls = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
  const failures: string[] = [];
  for (const url of urls) {
    try {
      return keysUrlOf(await fetchJson(url, signal), issuer);
    } catch (error) {
      failures.push(`${url}: ${reason(error)}`);
    }
  }
  throw new Error(failures.join("; "));
}

/** Metadata of another issuer must not be used (RFC 8414, 3.3), and nobody else's keys are this issuer's. */
function keysUrlOf(metadata: unknown, issuer: string): string {
  const { issuer: named, jwks_uri: url } = { ...metadata as Record<string, unknown> };
  if (named !== issuer) {
    throw new Error(`it is of the issuer ${quoted(named)}, and MCP_OAUTH_ISSUER is another one`);
  }
  if (typeof url !== "string" || !URL.canParse(url)) throw new Error("it has no jwks_uri");
  if (new URL(url).origin !== new URL(issuer).origin) {
    const hint = "set MCP_OAUTH_JWKS_URL if they are to be used";
    throw new Error(`it has its keys on another host, at ${quoted(url)}; ${hint}`);
  }
  return url;
}

async function fetchJson(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, {
    headers: { Accept: "application/json, application/jwk-set+json" },
    redirect: "error",
    signal,
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the answer is ${response.status}`);
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    // Leaving the loop cancels the rest.
    if (length > MOST_BYTES) throw new Error(`the answer is larger than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(await new Blob(chunks).text());
}

/** Deno's own words are in the innermost error. */
function reason(error: unknown): string {
  let innermost = error;
  while (innermost instanceof Error && innermost.cause instanceof Error) {
    innermost = innermost.cause;
  }
  if (!(innermost instanceof Error)) return String(innermost);
  return innermost.name === "TimeoutError"
    ? "no answer in time"
    : innermost.message.replace(/\.$/, "");
}

/** A stranger's words in the log. */
const quoted = (words: unknown) => (JSON.stringify(words) ?? "undefined").slice(0, 200);
