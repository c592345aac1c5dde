/**
 * The real acme.sh, as a program that may be named by ACME_SH: its hook has Cloudflare's address in it, so curl is told
 * where that lies. Needs --allow-env=ACME_SH and --allow-write of the temporary folder.
 */
import { join } from "node:path";
import type { AcmeRig } from "./rig.ts";

export interface AcmeShProgram extends AsyncDisposable {
  readonly path: string;
}

export async function acmeShBeside(rig: Pick<AcmeRig, "cloudflare">): Promise<AcmeShProgram> {
  const real = Deno.env.get("ACME_SH");
  if (!real) throw new Error("ACME_SH is not set: scripts/setup.sh --tests brings it");
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-acme-sh-" });
  const { port } = new URL(rig.cloudflare.api);
  await Deno.writeTextFile(
    join(folder, ".curlrc"),
    `connect-to = "api.cloudflare.com:443:127.0.0.1:${port}"\n`,
  );
  const path = join(folder, "acme.sh");
  await Deno.writeTextFile(path, `#!/bin/sh\nexport CURL_HOME='${folder}'\nexec '${real}' "$@"\n`, {
    mode: 0o755,
  });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}
