/** Free ports for servers that have to be told theirs. */
import { join } from "node:path";

/** Below the ports that the kernel gives to outgoing connections, so that a restart finds its port still free. */
const LOWEST = 10_000;
const HIGHEST = 32_000;

/**
 * A TCP port of 127.0.0.1 that nobody listens on now. Somebody may take it before its user does:
 * whoever starts a server on it looks out for that and tries another. Tests that run side by side
 * (HAPROXY_MCP_TEST_PORTS names their folder) never get the same one, as two HAProxys would share it.
 */
export function freePort(): number {
  while (true) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (!claim(port)) continue;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

function claim(port: number): boolean {
  const folder = Deno.env.get("HAPROXY_MCP_TEST_PORTS");
  if (!folder) return true;
  try {
    Deno.openSync(join(folder, String(port)), { write: true, createNew: true }).close();
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return false;
  }
}
