/**
 * Requests of every kind through HAProxy while the executable changes and reloads it, and what became of each: answered by a
 * server that was in service, or failed.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { InitOptions } from "../../../lib/init/options.ts";
import { startServe } from "../agent.ts";
import { type Backend, startBackend } from "../backend.ts";
import { type Haproxy, type HaproxyVersion, startHaproxy } from "../haproxy.ts";
import { type Load, type LoadKind, startLoad } from "../load.ts";
import type { Failure } from "../load/tally.ts";
import type { ToolCaller } from "../mcp_client.ts";
import { type Issued, openPki } from "../pki.ts";
import {
  changeCertificates,
  changeLoadedPool,
  changeOtherDomains,
  type Changes,
  paced,
  putCertificate,
} from "./changes_under_load.ts";
import { type PoolHistory, poolHistory } from "./pool_history.ts";
import { judgeLoad, type LoadVerdict, type Reload } from "./load_verdict.ts";
import { randomFrom } from "./record.ts";

/** HTTP/3 with a connection for each request is left out: a handshake that a reload meets is lost in HAProxy itself. */
export const LOAD_RUN_KINDS = ["h1", "h1 fresh", "h1 tls", "h1 tls fresh", "h2", "h3"] as const;
type Kind = typeof LOAD_RUN_KINDS[number];

export interface LoadRunWishes {
  readonly version: HaproxyVersion;
  readonly seed: number;
  /** How long at least. */
  readonly seconds: number;
  /** How many at least. */
  readonly changes: number;
  /** Spread over the seconds. */
  readonly reloads: number;
  /** Changes a second at most. */
  readonly rate: number;
  /** What `init` is told, where it matters. */
  readonly init?: Partial<Pick<InitOptions, "httpPort" | "httpsPort" | "account">>;
}

export interface KindReport extends LoadVerdict {
  /** Sent once more, as the protocol allows it: see ../load/tally.ts. */
  readonly retried: number;
}

/** All plain data: it may have been run in a process of its own. */
export interface LoadRunReport {
  readonly changes: number;
  /** Why a call that had to succeed did not: it ended the run. */
  readonly refused: readonly string[];
  readonly reloads: number;
  readonly kinds: Readonly<Record<Kind, KindReport>>;
  /** What the agent says differs between disk and HAProxy afterwards. */
  readonly differences: readonly string[];
  /** Of the worker that serves in the end. */
  readonly worker: { readonly uid: number; readonly capabilities: string };
}

const HOST = "a.test";
const SERVERS = ["alpha", "beta", "gamma", "delta", "epsilon"] as const;

interface Site extends AsyncDisposable {
  readonly haproxy: Haproxy;
  readonly connect: () => Promise<ToolCaller>;
  readonly backends: readonly Backend[];
  readonly history: PoolHistory;
  readonly certificates: Certificates;
}

export async function loadWhileChanging(wishes: LoadRunWishes): Promise<LoadRunReport> {
  await using site = await openLoadedSite(wishes);
  const failures = new Map<Kind, Failure[]>(LOAD_RUN_KINDS.map((kind) => [kind, []]));
  const loads = new Map<Kind, Load>();
  for (const kind of LOAD_RUN_KINDS) {
    loads.set(kind, await startOne(site, kind, failures.get(kind)!));
  }
  const reloads: Reload[] = [];
  await Promise.all(LOAD_RUN_KINDS.map((kind) => loads.get(kind)!.more(5)));
  const { changes, refused } = await changeAndReload(site, wishes, reloads);
  await Promise.all([...loads.values()].map((load) => load.stop()));
  const log = await site.haproxy.logs();
  return {
    changes,
    refused,
    reloads: reloads.length,
    kinds: Object.fromEntries(LOAD_RUN_KINDS.map((kind) => {
      const { answered, retried } = loads.get(kind)!.report;
      const seen = { answered, failures: failures.get(kind)!, reloads, log };
      return [kind, { retried, ...judgeLoad(kind, seen) }];
    })) as LoadRunReport["kinds"],
    differences: await differencesOf(await site.connect()),
    worker: await rightsOf(await site.haproxy.workerPid()),
  };
}

async function openLoadedSite({ version, init }: LoadRunWishes): Promise<Site> {
  await using opening = new AsyncDisposableStack();
  const backends = SERVERS.map((name) => opening.use(startBackend(name)));
  const haproxy = opening.use(
    await startHaproxy({
      version,
      pools: 8,
      slots: 4,
      ...init,
      // Each line of the log then begins with its worker's pid.
      edit: (config) => config.replace("log stdout format raw", "log stdout format rfc3164"),
    }),
  );
  const agent = opening.use(await startServe(haproxy));
  const certificates = await issueCertificates();
  const http = await agent.connect();
  const [first, second] = backends.map(({ address, port }) => ({ ip: address, http_port: port }));
  const history = poolHistory();
  SERVERS.slice(0, 2).forEach(history.opens);
  await http.call("add_domain", { domain: HOST, ...first });
  await http.call("add_server", { domain: HOST, ...second });
  await putCertificate(haproxy.root, HOST, certificates.loaded[0]);
  await http.call("load_cert", { domain: HOST });
  const site = opening.move();
  return {
    haproxy,
    connect: () => agent.connect(),
    backends,
    history,
    certificates,
    [Symbol.asyncDispose]: () => site.disposeAsync(),
  };
}

interface Certificates {
  readonly authority: Issued;
  readonly loaded: readonly string[];
  readonly other: { readonly domain: string; readonly pems: readonly string[] };
}

async function issueCertificates(): Promise<Certificates> {
  await using pki = await openPki();
  const authority = await pki.issue(["authority.test"]);
  const issue = async (name: string) => (await pki.issue([name], { by: authority })).pem;
  return {
    authority,
    loaded: [await issue(HOST), await issue(HOST), await issue(HOST)],
    other: { domain: "c.test", pems: [await issue("c.test"), await issue("c.test")] },
  };
}

/** At a rate that leaves most of a core to HAProxy and the agent. */
function startOne(
  { haproxy, history, certificates }: Site,
  kind: LoadKind,
  failures: Failure[],
): Promise<Load> {
  return startLoad(haproxy, kind, {
    host: HOST,
    names: history.of,
    tls: { certificate: certificates.authority.certificate, serverName: HOST },
    connections: kind === "h3" ? 1 : 2,
    pause: 20,
    mark: kind.replaceAll(" ", "."),
    onFailure: (failure) => failures.push(failure),
  });
}

async function changeAndReload(
  site: Site,
  { seed, seconds, changes, reloads: count, rate }: LoadRunWishes,
  reloads: Reload[],
): Promise<Pick<LoadRunReport, "changes" | "refused">> {
  const { haproxy: { root }, connect, history, backends, certificates } = site;
  const random = randomFrom(seed);
  const caller = async () => ({ agent: await connect(), random: randomFrom(random() * 2 ** 32) });
  const callers = [
    changeLoadedPool({ ...await caller(), domain: HOST, history, backends }),
    changeOtherDomains({ ...await caller(), label: "left", shared: HOST }),
    changeOtherDomains({ ...await caller(), label: "right", shared: HOST }),
    changeCertificates({ ...await caller(), root, domain: HOST, ...certificates }),
  ];
  const { agent } = await caller();
  const began = performance.now();
  const passed = () => performance.now() - began;
  const turn = paced(rate);
  const refused: string[] = [];
  const refuse = (cause: unknown) => void refused.push(String(cause));
  let reloaded = false;
  let made = 0;

  async function reload(): Promise<void> {
    for (let turn = 0; turn < count && refused.length === 0; turn++) {
      await delay(Math.max(0, 1000 * seconds * (turn + 0.5) / count - passed()));
      const from = Date.now();
      const { structured } = await agent.call("reload");
      if (!structured.reloaded) throw new Error(`no reload: ${JSON.stringify(structured)}`);
      reloads.push({ from, until: Date.now() });
    }
  }

  async function change(caller: Changes): Promise<void> {
    while (refused.length === 0 && (made < changes || passed() < 1000 * seconds || !reloaded)) {
      await turn();
      await caller.next();
      made++;
    }
  }

  await Promise.all([
    reload().catch(refuse).finally(() => reloaded = true),
    ...callers.map((caller) => change(caller).catch(refuse)),
  ]);
  return { changes: made, refused };
}

async function differencesOf(agent: ToolCaller): Promise<readonly string[]> {
  const { components } = (await agent.call("health")).structured as {
    components: { sync: { differences: readonly string[] } };
  };
  return components.sync.differences;
}

async function rightsOf(pid: number): Promise<LoadRunReport["worker"]> {
  // Deno itself reads there only with every permission.
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/status`] }).output();
  const status = new TextDecoder().decode(stdout);
  const field = (name: string) => new RegExp(`^${name}:\t(\\S+)`, "m").exec(status)![1];
  return { uid: Number(field("Uid")), capabilities: field("CapEff") };
}
