/** The site on which every writing tool is tried: domains, shared ones and a wildcard, servers, certificates. */
import { join } from "node:path";
import type { Haproxy, HaproxyVersion } from "../haproxy.ts";
import { startHaproxy } from "../haproxy.ts";
import { openPki } from "../pki.ts";
import { openMoreTools } from "../tools.ts";

export async function openEvidenceSite(version: HaproxyVersion = "3.2"): Promise<Haproxy> {
  const haproxy = await startHaproxy({ version, pools: 4, slots: 3 });
  try {
    await using pki = await openPki();
    const put = async (domain: string, serial: number) => {
      const args = ["-set_serial", `${serial}`];
      const { pem } = await pki.issue([domain], { args });
      const path = join(haproxy.root, `certs/${domain}.pem`);
      await Deno.writeTextFile(`${path}.new`, pem, { mode: 0o600 });
      await Deno.rename(`${path}.new`, path);
    };
    await using rig = await openMoreTools(haproxy);
    await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1", wildcard: true });
    await rig.call("add_server", { domain: "a.test", ip: "10.0.0.2", weight: 7 });
    await rig.call("add_domain", { domain: "b.test", share_with: "a.test" });
    await rig.call("add_domain", { domain: "c.test", ip: "10.0.0.3" });
    await rig.call("add_server", { domain: "c.test", ip: "10.0.0.4" });
    await rig.call("set_server_state", { domain: "c.test", slot: 2, state: "drain" });
    await rig.call("save_state");
    await rig.call("set_server_weight", { domain: "a.test", slot: 1, weight: 50 });
    await put("c.test", 1);
    await rig.call("load_cert", { domain: "c.test" });
    // As a person would copy it there, to be loaded.
    await put("a.test", 2);
    return haproxy;
  } catch (cause) {
    await haproxy[Symbol.asyncDispose]();
    throw cause;
  }
}

/** A call of each writing tool that changes something there. Those that order certificates need a CA: `ordering`. */
export const CHANGES: readonly (readonly [tool: string, args: Record<string, unknown>])[] = [
  ["haproxy_add_domain", { domain: "new.test", ip: "10.0.1.1", wildcard: true }],
  ["haproxy_remove_domain", { domain: "c.test", confirm: true }],
  ["haproxy_add_server", { domain: "a.test", ip: "10.0.1.2", weight: 3 }],
  ["haproxy_add_servers", {
    domain: "c.test",
    servers: [{ slot: 2, ip: "10.0.1.3", weight: 9 }, { slot: 3, ip: "10.0.1.4" }],
  }],
  ["haproxy_remove_server", { domain: "a.test", slot: 2 }],
  ["haproxy_set_server_state", { domain: "a.test", slot: 2, state: "maint" }],
  ["haproxy_set_server_weight", { backend: "pool_1", server: "pool_1_1", weight: 200 }],
  ["haproxy_set_domain_state", { domain: "b.test", state: "drain", confirm: true }],
  ["haproxy_reload", { confirm: true }],
  ["haproxy_save_state", {}],
  ["haproxy_restore_state", { source: "state_file", confirm: true }],
  ["haproxy_load_cert", { domain: "a.test" }],
  ["haproxy_delete_cert", { domain: "c.test", confirm: true }],
];
