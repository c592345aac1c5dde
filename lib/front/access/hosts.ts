/** The guard against DNS rebinding: which Host and Origin headers are answered. */

/**
 * A test for the Host header: its name, whatever the port, is one of those allowed.
 *
 * @param names host names and IP addresses, IPv6 with or without brackets
 */
export function createHostCheck(names: readonly string[]): (header: string | undefined) => boolean {
  const allowed = new Set(names.map((name) => hostName(bracketed(name))));
  allowed.delete(undefined);
  return (header) => header !== undefined && allowed.has(hostName(header));
}

/**
 * A test for the Origin header: no browser (no header), one of the allowed origins, or the very
 * host that the request went to, which the Host check has judged.
 *
 * @param origins such as `https://app.example.com`
 */
export function createOriginCheck(
  origins: readonly string[],
): (origin: string | undefined, host: string | undefined) => boolean {
  const allowed = new Set(origins.map(spelled));
  return (origin, host) => {
    if (origin === undefined) return true;
    // Opaque origins (sandboxed frames, files) all read "null" and say nothing about who asks.
    if (origin === "null") return false;
    const isOurs = origin === `http://${host}` || origin === `https://${host}`;
    return isOurs || allowed.has(spelled(origin));
  };
}

/** One spelling of an origin. Those of browser extensions and editors have no URL origin. */
function spelled(origin: string): string {
  const url = urlOf(origin);
  return url && url.origin !== "null" ? url.origin : origin.toLowerCase();
}

/** The header's name as URLs spell it: lower case, no port, IPv6 in brackets. */
function hostName(header: string): string | undefined {
  return /[/?#@\\]/.test(header) ? undefined : urlOf(`http://${header}`)?.hostname;
}

/** As it stands in a URL: two colons make an IPv6 address, one divides a name from a port. */
const bracketed = (name: string) => /^[^[]*:[^[]*:/.test(name) ? `[${name}]` : name;

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
