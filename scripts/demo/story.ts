/** The walk, step by step: the main job while HAProxy serves, then a crash. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { selfSignedPem } from "../../lib/init/self_signed.ts";
import type { Backend } from "../../tests/support/backend.ts";
import type { Agent } from "./agent.ts";
import { type Ask, curlLine } from "./curl.ts";
import { each, only, share } from "./expect.ts";
import type { Haproxy } from "./haproxy.ts";
import { argumentsText, type Report } from "./report.ts";
import { openScene, type Scene } from "./scene.ts";
import { startTraffic } from "./traffic.ts";

export interface Cast {
  readonly report: Report;
  readonly ask: Ask;
  readonly haproxy: Haproxy;
  readonly agent: Agent;
  /** Three. */
  readonly backends: readonly Backend[];
  startAgentAgain(): Promise<Agent>;
}

const SHOP = "shop.example";
const WWW = "www.shop.example";
const BLOG = "blog.example";
/** How long the request takes that is in flight while its server is drained. */
const SLOW_MS = 1200;

const at = ({ address, port }: Backend) => ({ ip: address, http_port: port });

/** Returns the agent that runs in the end. */
export async function tellStory(cast: Cast): Promise<Agent> {
  const { report, ask, haproxy } = cast;
  let agent = cast.agent;
  const names = cast.backends.map(({ name }) => `${name}\n`);
  const traffic = startTraffic(haproxy.ports.http, (body) => names.includes(body));
  const scene = openScene({ report, ask, ports: haproxy.ports, traffic, agent: () => agent });
  const firstWorker = await haproxy.workerPid();

  await addThings(scene, cast, (host) => traffic.join(host));
  const halves = await drain(scene, cast, traffic.hush);
  await replaceAndRefuse(scene, cast, halves);

  const { requests, failures } = await traffic.stop();
  const worker = await haproxy.workerPid();
  report.step(
    worker === firstWorker,
    "No reload:",
    `HAProxy's worker is the one that started, pid ${firstWorker}` +
      (worker === firstWorker ? "." : `; now it is ${worker}.`),
  );
  report.step(
    failures.length === 0 && requests > 0,
    "Nobody noticed:",
    `${requests} requests of a second client all the while, ${failures.length} failed.`,
  );
  for (const failure of failures.slice(0, 5)) report.say(failure);

  await crash(scene, cast, agent);
  agent = await cast.startAgentAgain();
  await backInService(scene, cast, halves);
  await lookAndReload(scene, cast, halves);
  return agent;
}

async function addThings(
  { call, curl }: Scene,
  { backends: [one, two, three], haproxy: { root } }: Cast,
  visit: (host: string) => void,
): Promise<void> {
  await call("haproxy_list_domains", {}, { domains: [], count: 0 });
  await curl({ host: SHOP }, only("404 Unknown host"));

  await call("haproxy_add_domain", { domain: SHOP, ...at(one) }, { pool: "pool_1" });
  await curl({ host: SHOP }, only(one.name));
  visit(SHOP);

  await call("haproxy_add_server", { domain: SHOP, ...at(two) }, { replaced: false });
  await curl({ host: SHOP }, each(one.name, two.name), 4);
  const overTls = [one, two].map(({ name }) => `${name} over HTTP/2`);
  await curl({ host: SHOP, tls: true }, each(...overTls), 2);

  await writeCertificate(root);
  await call("haproxy_load_cert", { domain: SHOP }, { loaded: true, replaced: false });

  await call("haproxy_add_domain", { domain: WWW, share_with: SHOP }, {
    pool: "pool_1",
    shared: true,
  });
  await curl({ host: WWW }, each(one.name, two.name), 2);
  visit(WWW);

  await call("haproxy_add_domain", { domain: BLOG, ...at(three), wildcard: true }, {
    pool: "pool_2",
    wildcard: true,
  });
  await curl({ host: `anna.${BLOG}` }, only(three.name));

  await call("haproxy_set_server_weight", { domain: SHOP, slot: 1, weight: 3 }, {
    weight: 3,
    previous: 1,
  });
  await curl({ host: SHOP }, share(one.name, two.name, 3), 8);
}

/** As a person would put it there: haproxy_issue_cert needs a CA and a domain of one's own. */
async function writeCertificate(root: string): Promise<void> {
  const pem = await selfSignedPem({ name: SHOP });
  await Deno.writeTextFile(join(root, `certs/${SHOP}.pem`), pem, { mode: 0o600 });
}

/** The pool once one of its two servers is drained. */
interface Halves {
  readonly drained: { readonly slot: number; readonly name: string };
  readonly serving: { readonly slot: number; readonly name: string };
}

/** The server that has a slow request in flight is drained, and still gives its answer. */
async function drain(
  { call, curl, showCurl }: Scene,
  { report, ask, haproxy: { ports }, backends: [one, two] }: Cast,
  hush: <T>(act: () => Promise<T>) => Promise<T>,
): Promise<Halves> {
  const slow = { host: SHOP, path: `/slow?ms=${SLOW_MS}` };
  const { answer, taken } = await hush(async () => {
    const before = [one.requests, two.requests];
    const answer = ask(slow);
    let over = false;
    void answer.then(() => over = true);
    while (!over && one.requests === before[0] && two.requests === before[1]) await delay(5);
    return { answer, taken: two.requests > before[1] };
  });
  const servers = [{ slot: 1, name: one.name }, { slot: 2, name: two.name }];
  const [serving, drained] = taken ? servers : servers.toReversed();
  report.command(`${curlLine(slow, ports)} &`, `waits for ${drained.name}`);

  const place = { domain: SHOP, slot: drained.slot };
  await call("haproxy_set_server_state", { ...place, state: "drain" }, {
    state: "drain",
    previous: "ready",
  });
  await curl({ host: SHOP }, only(serving.name), 4);
  await call("haproxy_wait_drain", { ...place, timeout: 10 }, { drained: true, remaining: [] });
  showCurl(slow, [await answer], only(drained.name));
  return { drained, serving };
}

async function replaceAndRefuse(
  { call, curl, refused }: Scene,
  { backends: [, , three] }: Cast,
  { serving: { slot } }: Halves,
): Promise<void> {
  await call("haproxy_add_server", { domain: SHOP, slot, ...at(three) }, { replaced: true });
  await curl({ host: SHOP }, only(three.name), 4);

  await refused("haproxy_remove_server", { domain: SHOP, slot }, "REFUSED");
  await refused("haproxy_add_domain", { domain: "new.example;shutdown" }, "VALIDATION");
  await curl({ host: SHOP }, only(three.name));

  await call("haproxy_remove_domain", { domain: BLOG }, { pool: "pool_2", pool_released: true });
  await curl({ host: `anna.${BLOG}` }, only("404 Unknown host"));
}

/** What was answered to be done outlives everybody: HAProxy comes up right with no agent there. */
async function crash({ curl }: Scene, { report, haproxy, backends }: Cast, agent: Agent) {
  await agent.stop();
  await haproxy.kill9();
  const start = performance.now();
  await haproxy.startAgain();
  const details = "its agent stopped, HAProxy is killed by kill -9 and started again.";
  report.step(true, "Crash:", details, performance.now() - start);
  const [, , three] = backends;
  await curl({ host: SHOP }, only(three.name), 4);
  await curl({ host: WWW }, only(three.name), 2);
  await curl({ host: `anna.${BLOG}` }, only("404 Unknown host"));
}

async function backInService(
  { call, curl }: Scene,
  { backends: [, , three] }: Cast,
  { drained: { slot, name } }: Halves,
): Promise<void> {
  await call("haproxy_set_server_state", { domain: SHOP, slot, state: "ready" }, {
    state: "ready",
    previous: "drain",
  });
  await curl({ host: SHOP }, each(three.name, name), 8);
  await call("haproxy_list_domains", {}, { count: 2 });
  await call("haproxy_list_certs", {}, { certificates: [{ loaded: true }, { loaded: true }] });
}

/** How it does, and the one thing that a reload is for: haproxy.cfg itself. */
async function lookAndReload(
  { call, curl, read }: Scene,
  { backends: [, , three] }: Cast,
  { drained: { name } }: Halves,
): Promise<void> {
  await call("haproxy_domain_health", { domain: SHOP }, { status: "healthy", healthy_count: 2 });
  await call("haproxy_check_config", {}, { valid: true });
  await call("haproxy_reload", {}, { reloaded: true, way: "master" });
  await curl({ host: SHOP }, each(three.name, name), 8);
  await call("haproxy_health", {}, { components: { sync: { status: "ok" } } });
  await read("haproxy://audit", /"tool":"haproxy_remove_domain".*"code":"OK"/, lastCalls);
}

/** The last three of the audit log. */
function lastCalls(text: string): string {
  const calls = text.trim().split("\n").slice(-3).map((line) => JSON.parse(line));
  return calls.map(({ at, code, tool, args, who, client }) =>
    `${at.slice(11, 19)} ${code} ${tool} ${argumentsText(args)} by ${who} (${client})`
  ).join("\n");
}
