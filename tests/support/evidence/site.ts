/** The site on which every writing tool is tried: domains, shared ones and a wildcard, servers, certificates. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { AcmeRig } from "../acme/rig.ts";
import { callFromShell, runAgent } from "../agent.ts";
import type { Haproxy, HaproxyVersion } from "../haproxy.ts";
import { startHaproxy } from "../haproxy.ts";
import { openPki } from "../pki.ts";
import { openMoreTools } from "../tools.ts";
import { lookAt, type View } from "./view.ts";

/** A call that changes something. */
export interface Change {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** The command line, where it is no tool that is called; its answer is JSON. */
  readonly words?: readonly string[];
}

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

const change = (tool: string, args: Change["args"] = {}): Change => ({ tool, args });

/** A call of each writing tool that changes something there. Those that order certificates are {@linkcode ORDERS}. */
export const CHANGES: readonly Change[] = [
  change("haproxy_add_domain", { domain: "new.test", ip: "10.0.1.1", wildcard: true }),
  change("haproxy_remove_domain", { domain: "c.test", confirm: true }),
  change("haproxy_add_server", { domain: "a.test", ip: "10.0.1.2", weight: 3 }),
  change("haproxy_add_servers", {
    domain: "c.test",
    servers: [{ slot: 2, ip: "10.0.1.3", weight: 9 }, { slot: 3, ip: "10.0.1.4" }],
  }),
  change("haproxy_remove_server", { domain: "a.test", slot: 2 }),
  change("haproxy_set_server_state", { domain: "a.test", slot: 2, state: "maint" }),
  change("haproxy_set_server_weight", { backend: "pool_1", server: "pool_1_1", weight: 200 }),
  change("haproxy_set_domain_state", { domain: "b.test", state: "drain", confirm: true }),
  change("haproxy_reload", { confirm: true }),
  change("haproxy_save_state"),
  change("haproxy_restore_state", { source: "state_file", confirm: true }),
  change("haproxy_load_cert", { domain: "a.test" }),
  change("haproxy_delete_cert", { domain: "c.test", confirm: true }),
];

/** The site with another state than its backup's; and the restore of that: lists, keys, servers, the user's own copy. */
export async function openRestoringSite(): Promise<{ haproxy: Haproxy; change: Change }> {
  const haproxy = await openEvidenceSite();
  try {
    const archive = join(haproxy.root, "all.tar");
    const { code, stderr } = await runAgent(haproxy, ["backup", archive, "--with-secrets"]);
    assert.equal(code, 0, stderr);
    await using rig = await openMoreTools(haproxy);
    await rig.call("delete_cert", { domain: "c.test" });
    await rig.call("remove_domain", { domain: "c.test" });
    await rig.call("add_domain", { domain: "d.test", ip: "10.0.2.1", wildcard: true });
    await rig.call("set_server_weight", { domain: "a.test", slot: 1, weight: 3 });
    await rig.call("save_state");
    const change = { tool: "restore", args: {}, words: ["restore", archive, "--json"] };
    return { haproxy, change };
  } catch (cause) {
    await haproxy[Symbol.asyncDispose]();
    throw cause;
  }
}

const HOST = "example.test";

/** Calls of the tools that order certificates. */
export const ORDERS: readonly Change[] = [
  change("haproxy_issue_cert", { domain: HOST, wildcard: true }),
  change("haproxy_renew_cert", { domain: HOST, force: true }),
  change("haproxy_renew_all_certs"),
];

export interface OrderingSite extends AsyncDisposable {
  readonly haproxy: Haproxy;
  /** Of certificates and what is known of them only what has to be the same each time. */
  look(haproxy: Haproxy): Promise<View>;
}

/** A site for one of {@linkcode ORDERS}: what is to be renewed is there, and the CA wants it renewed. */
export async function openOrderingSite(rig: AcmeRig, { tool }: Change): Promise<OrderingSite> {
  const haproxy = await startHaproxy({ pools: 2, slots: 2 });
  let old: X509Certificate | undefined;
  try {
    const env = rig.env;
    // The account is there, in any case.
    const domain = tool === "haproxy_issue_cert" ? "other.test" : HOST;
    const { code } = await callFromShell(haproxy, "issue_cert", { domain }, { env });
    assert.equal(code, 0);
    old = await certificateOf(haproxy);
    if (old) await rig.setRenewalInfo(old.toString(), { suggestedWindow: PAST });
    return {
      haproxy,
      look: (haproxy) => lookAtOrder(haproxy, old),
      [Symbol.asyncDispose]: () => haproxy[Symbol.asyncDispose](),
    };
  } catch (cause) {
    await haproxy[Symbol.asyncDispose]();
    throw cause;
  }
}

const PAST = { start: "2026-01-01T00:00:00Z", end: "2026-01-02T00:00:00Z" };

async function certificateOf(haproxy: Haproxy): Promise<X509Certificate | undefined> {
  const pem = await Deno.readTextFile(join(haproxy.root, `certs/${HOST}.pem`)).catch(() => "");
  const found = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/.exec(pem)?.[0];
  return found === undefined ? undefined : new X509Certificate(found);
}

async function lookAtOrder(haproxy: Haproxy, old: X509Certificate | undefined): Promise<View> {
  const now = await certificateOf(haproxy);
  const view = await lookAt(haproxy);
  const { domains, certificates } = JSON.parse(view["conf/certificates.json"] ?? "{}");
  const { client, names, ordered } = certificates?.[HOST] ?? {};
  const isNew = now !== undefined && now.fingerprint256 !== old?.fingerprint256;
  const known = {
    client,
    names,
    ordered: now && ordered === hexOf(now.fingerprint256) ? "the file's" : ordered,
  };
  return {
    ...view,
    ...now && { [`certs/${HOST}.pem`]: isNew ? "a new one" : "the old one" },
    "conf/certificates.json": JSON.stringify({ domains, known }),
    "show ssl cert": view["show ssl cert"].replaceAll(
      /(example\.test\.pem) ([0-9A-F]{40})/g,
      (_, file, hex) => `${file} ${now && hexOf(now.fingerprint) === hex ? "the file's" : hex}`,
    ),
  };
}

const hexOf = (fingerprint: string) => fingerprint.replaceAll(":", "");
