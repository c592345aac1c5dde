/** What the tests of backup and restore start with. */
import { join } from "node:path";
import { openTools, type ToolRig, type ToolRigOptions } from "../support/tools.ts";

export const at = ({ haproxy }: ToolRig, path: string) => join(haproxy.root, path);
export const audited = async (rig: ToolRig) =>
  (await Deno.readTextFile(at(rig, "data/audit.jsonl"))).trimEnd().split("\n")
    .map((line) => JSON.parse(line));

/** Two domains, three servers, and what may go with a backup besides. */
export async function openSite(options: ToolRigOptions = {}): Promise<ToolRig> {
  const rig = await openTools(options);
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9, wildcard: true });
  await rig.call("add_server", { domain: "a.test", ip: "::1", http_port: 8080, weight: 7 });
  await rig.call("set_server_state", { domain: "a.test", slot: 2, state: "drain", force: true });
  await rig.call("add_domain", { domain: "b.test", ip: "10.0.0.2" });
  return rig;
}
