/** What tests of certificate changes put on disk, and what they look at. */
import { join } from "node:path";
import { type Issued, type Pki, served } from "../../support/pki.ts";
import type { ToolRig } from "../../support/tools.ts";

export const put = (rig: ToolRig, name: string, text: string) =>
  Deno.writeTextFile(join(rig.haproxy.root, "certs", name), text, { mode: 0o600 });
export const crtList = (rig: ToolRig) =>
  Deno.readTextFile(join(rig.haproxy.root, "certs/crt-list.txt"));
export const shown = (rig: ToolRig, name: string) => served(rig.haproxy.options.httpsPort, name);
/** What HAProxy has of certificates, open transactions included. */
export const running = async ({ haproxy }: ToolRig) =>
  [
    await haproxy.runtime("show ssl cert"),
    await haproxy.runtime(`show ssl crt-list -n ${join(haproxy.root, "certs/crt-list.txt")}`),
  ].join("\n");

export async function authority(pki: Pki): Promise<Issued> {
  return await pki.issue(["authority.test"]);
}
