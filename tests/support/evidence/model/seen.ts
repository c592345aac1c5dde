/** The site as the model wants it and as it is found, in the same words: on disk, in HAProxy, and in what tools read. */
import { join } from "node:path";
import type { Haproxy } from "../../haproxy.ts";
import { lookAtHaproxy, type View } from "../view.ts";
import type { Caller } from "./callers.ts";
import {
  domainOf,
  keysOf,
  type ModelPools,
  type ModelServer,
  poolNames,
  putServer,
  type Shape,
  type SiteModel,
  slotsOf,
} from "./site_model.ts";

/** Of HAProxy's own certificate, which is nobody's. */
export interface Default {
  readonly fingerprint: string;
}

const sorted = (lines: Iterable<string>) => [...lines].sort().join("\n");

const slotLine = (name: string, { ip, http_port, weight, state }: ModelServer) =>
  `${name} ${ip}:${http_port} ${state} ${weight}`;

const poolLines = (pools: ModelPools) =>
  sorted(
    [...pools].flatMap(([pool, slots]) =>
      [...slots].map(([slot, server]) => slotLine(`${pool}_${slot}`, server))
    ),
  );

/** What the model says of it all. */
export function wanted(model: SiteModel, shape: Shape, own: Default): View {
  const { map, pools, certificates, saved } = model;
  const listed = [...certificates].filter(([, each]) => each.listed);
  const files = [...certificates].filter(([, { file }]) => file !== undefined);
  const map_ = sorted([...map].map(([key, pool]) => `${key} ${pool}`));
  const lines = sorted([
    "default.pem",
    ...listed.map(([name]) => `${name}.pem ${name}`),
  ]);
  const served = [["default", own.fingerprint], ...listed.map(([name, { file }]) => [name, file])];
  return {
    "domains.map": map_,
    "comments": COMMENTS,
    "leftovers": "",
    "servers.json": poolLines(pools),
    "servers.state": poolLines(pools),
    "saved state": saved === undefined ? "none" : poolLines(saved),
    "PEMs": sorted(files.map(([name, { file }]) => `${name}.pem ${file}`)),
    "crt-list": lines,
    "certificates.json": sorted(
      [...certificates].filter(([, { known }]) => known).map(([name]) => name),
    ),
    "show map": map_,
    "show servers state": sorted(
      poolNames(shape).flatMap((pool) =>
        Array.from({ length: shape.slots }, (_, i) => {
          const server = slotsOf(model, pool).get(i + 1);
          return slotLine(`${pool}_${i + 1}`, server ?? EMPTY_SLOT);
        })
      ),
    ),
    "show ssl cert": sorted(served.map(([name, fingerprint]) => `${name}.pem ${fingerprint}`)),
    "show ssl crt-list": lines,
    "list_domains": sorted(
      [...map].map(([key, pool]) => {
        const servers = [...slotsOf(model, pool)].sort(([a], [b]) => a - b)
          .map(([slot, server]) => slotLine(`${pool}_${slot}`, server));
        const others = keysOf(model, pool).filter((other) => other !== key).map(domainOf).sort();
        return `${domainOf(key)} ${pool} with ${others}: ${servers}`;
      }),
    ),
    "list_certs": sorted([
      `default ${true}`,
      ...[...certificates].map(([name, { listed }]) => `${name} ${listed}`),
    ]),
    "health": "healthy",
  };
}

/** How domains.map begins. */
export const COMMENTS = "# by hand\n\n";

const EMPTY_SLOT: ModelServer = { ip: "127.0.0.1", http_port: 1, weight: 1, state: "maint" };

/** What is found; no call may be under way. */
export async function found(haproxy: Haproxy, caller: Caller): Promise<View> {
  return {
    ...await foundOnDisk(haproxy),
    ...await foundInHaproxy(haproxy),
    ...await foundByTools(caller),
  };
}

export async function foundOnDisk({ root }: Haproxy): Promise<View> {
  const text = (path: string) => Deno.readTextFile(join(root, path));
  const saved = await readSaved(root);
  return {
    "domains.map": sorted(entriesOf(await text("conf/domains.map"))),
    "comments": (await text("conf/domains.map")).slice(0, COMMENTS.length),
    "leftovers": sorted(await leftovers(root)),
    "servers.json": poolLines(serversOf(await text("conf/servers.json"))),
    "servers.state": poolLines(stateOf(await text("conf/servers.state"))),
    "saved state": saved === undefined ? "none" : poolLines(saved),
    "PEMs": sorted(
      [...await pemsIn(join(root, "certs"))].filter(([name]) => name !== "default.pem")
        .map(([name, fingerprint]) => `${name} ${fingerprint}`),
    ),
    "crt-list": sorted(entriesOf(await text("certs/crt-list.txt")).map((line) => short(line))),
    "certificates.json": sorted(
      await text("conf/certificates.json").then((json) => JSON.parse(json).domains, () => []),
    ),
  };
}

export async function foundInHaproxy(haproxy: Haproxy): Promise<View> {
  const view = await lookAtHaproxy(haproxy);
  const rows = (await haproxy.runtime("show servers state")).trim();
  return {
    "show map": view["show map"],
    "show servers state": poolLines(stateOf(rows)),
    "show ssl cert": sorted(view["show ssl cert"].split("\n").map(short)),
    "show ssl crt-list": sorted(
      view["show ssl crt-list"].split("\n").filter((line) => line.startsWith("/"))
        .map((line) => short(line).replace(" []", "").trim()),
    ),
  };
}

async function foundByTools(caller: Caller): Promise<View> {
  const read = async (tool: string, args: object = {}) => {
    const heard = await caller.ask(tool, args);
    if ("done" in heard) return heard.done;
    throw new Error(`${tool} by ${caller.name}: ${JSON.stringify(heard)}`);
  };
  const { certificates } = await read("list_certs") as {
    certificates: readonly { readonly domain: string; readonly loaded: boolean | null }[];
  };
  const { status, components } = await read("health") as {
    status: string;
    components: Record<string, { readonly status: string; readonly message: string }>;
  };
  // HAProxy's component speaks of domains without a healthy server, which a caller may have wanted so.
  const ill = ["config_files", "certificates", "sync"].map((name) => components[name])
    .filter(({ status }) => status !== "ok").map(({ message }) => message);
  return {
    "list_domains": sorted(
      (await readDomains(read)).map(({ domain, pool, shared_with, servers }) =>
        `${domain} ${pool} with ${shared_with.toSorted()}: ${
          servers.map((server) => slotLine(server.name, server))
        }`
      ),
    ),
    "list_certs": sorted(certificates.map(({ domain, loaded }) => `${domain} ${loaded}`)),
    "health": ill.length === 0 && status !== "" ? "healthy" : ill.join(" "),
  };
}

interface ListedDomain {
  readonly domain: string;
  readonly pool: string;
  readonly shared_with: readonly string[];
  readonly servers: readonly (ModelServer & { readonly slot: number; readonly name: string })[];
}

type Read = (tool: string, args?: object) => Promise<Readonly<Record<string, unknown>>>;

const readDomains = async (read: Read) =>
  (await read("list_domains", { include_wildcards: true })).domains as readonly ListedDomain[];

/** Map and pools as a reading tool tells them: of the pools only those that a domain leads to. */
export async function readSite(read: Read): Promise<Pick<SiteModel, "map" | "pools">> {
  const site = { map: new Map<string, string>(), pools: new Map() as ModelPools };
  for (const { domain, pool, servers } of await readDomains(read)) {
    site.map.set(domain.startsWith("*.") ? domain.slice(1) : domain, pool);
    for (const { slot, ip, http_port, weight, state } of servers) {
      putServer(site as SiteModel, pool, slot, { ip, http_port, weight, state });
    }
  }
  return site;
}

/** HAPROXY_STATE_FILE. */
export async function readSaved(root: string): Promise<ModelPools | undefined> {
  const text = await Deno.readTextFile(join(root, "data/servers.state")).catch(() => undefined);
  return text === undefined ? undefined : stateOf(text);
}

/** The certificates' names that the crt-list has, and the fingerprints of the PEMs. */
export async function readCertificates(root: string) {
  const list = await Deno.readTextFile(join(root, "certs/crt-list.txt"));
  const names = entriesOf(list).map((line) => short(line).split(" ")[0].replace(/\.pem$/, ""));
  return { listed: new Set(names), files: await pemsIn(join(root, "certs")) };
}

const short = (line: string) => line.replace(/^\S*\//, "");

const entriesOf = (text: string) =>
  text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));

function serversOf(text: string): ModelPools {
  const json = JSON.parse(text) as Record<string, Record<string, ModelServer>>;
  return new Map(
    Object.entries(json).map(([pool, slots]) => [
      pool,
      new Map(Object.entries(slots).map(([slot, server]) => [Number(slot), server])),
    ]),
  );
}

/** `show servers state`, or a file in its form: be_name, srv_name, address, admin state, weight, port. */
function stateOf(text: string): ModelPools {
  const pools: ModelPools = new Map();
  for (const cells of entriesOf(text).slice(1).map((row) => row.split(" "))) {
    const [, pool, , name, ip, , admin, weight] = cells;
    if (!pool.startsWith("pool_")) continue;
    const bits = Number(admin);
    putServer({ pools } as SiteModel, pool, Number(name.slice(pool.length + 1)), {
      ip,
      http_port: Number(cells[18]),
      weight: Number(weight),
      state: bits & 1 ? "maint" : bits & 8 ? "drain" : "ready",
    });
  }
  return pools;
}

const FILES =
  /^(domains\.map|servers\.(json|state)|certificates\.json|haproxy\.cfg|mcp-token\.env)$/;

/** What a kill leaves half-written is gone after the next start. */
async function leftovers(root: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(join(root, "conf"))) {
    if (!FILES.test(name)) names.push(name);
  }
  for await (const { name } of Deno.readDir(join(root, "certs"))) {
    if (!/^[a-z0-9.]+\.pem$|^crt-list\.txt$/.test(name)) names.push(name);
  }
  return names;
}

async function pemsIn(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".pem")) continue;
    found.set(name, await fingerprintOf(await Deno.readTextFile(join(folder, name))));
  }
  return found;
}

/** SHA-1 over the first certificate's DER, as HAProxy shows it. */
export async function fingerprintOf(pem: string): Promise<string> {
  const base64 = /-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(pem)?.[1] ?? "";
  const der = Uint8Array.from(atob(base64.replaceAll(/\s/g, "")), (char) => char.charCodeAt(0));
  return new Uint8Array(await crypto.subtle.digest("SHA-1", der)).toHex().toUpperCase();
}

/** No change is under way or to be finished, and the files hold all of them. */
export async function journalIsEmpty(root: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(join(root, "data/journal"))) {
    const info = await Deno.stat(join(root, "data/journal", name)).catch(() => undefined);
    if (info && info.size > 0) return false;
  }
  return true;
}
