/** Free ports for servers that have to be told theirs. */

/** Below the ports that the kernel gives to outgoing connections, so that a restart finds its port still free. */
const LOWEST = 10_000;
const HIGHEST = 32_000;

/**
 * A TCP port of 127.0.0.1 that nobody listens on now. Somebody may take it before its user does:
 * whoever starts a server on it looks out for that and tries another.
 */
export function freePort(): number {
  while (true) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
