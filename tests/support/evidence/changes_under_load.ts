/**
 * Changes without an end, as one caller after another would make them: what is under load is changed, and so is all
 * beside it. Each generator is such a caller; each of its steps is one call of a writing tool.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Backend } from "../backend.ts";
import type { ToolCaller } from "../mcp_client.ts";
import type { PoolHistory } from "./pool_history.ts";

export interface Changing {
  readonly agent: ToolCaller;
  readonly random: () => number;
}

export type Changes = AsyncGenerator<void, void, void>;

export interface LoadedPool extends Changing {
  readonly domain: string;
  readonly history: PoolHistory;
  /** The servers in slots 1 and 2, then those that wait: two or more. */
  readonly backends: readonly Backend[];
}

interface Turn {
  readonly slot: number;
  readonly old: Backend;
  readonly next: Backend;
}

/**
 * Takes the two servers of a pool out of service in turn and puts others into their slots; the other one of the two always
 * serves.
 */
export async function* changeLoadedPool(pool: LoadedPool): Changes {
  const [first, second, ...spare] = pool.backends;
  const slots = [first, second];
  for (let turn = 0;; turn++) {
    const slot = turn % 2 + 1;
    const [old, next] = [slots[slot - 1], spare.shift()!];
    const ways = [replaceDrained, replaceDrained, replaceAtOnce, replaceInPlace];
    yield* ways[below(pool, ways.length)](pool, { slot, old, next });
    slots[slot - 1] = next;
    spare.push(old);
    const weight = 1 + below(pool, 256);
    await pool.agent.call("set_server_weight", { domain: pool.domain, slot, weight });
    yield;
    if (turn % 3 === 0) yield* drainAndReturn(pool, slot, next);
    if (turn % 5 === 0) yield* addAndRemoveThird(pool, spare[0]);
  }
}

/** As an operator does it: drain, wait, maint, remove. */
async function* replaceDrained(pool: LoadedPool, { slot, old, next }: Turn): Changes {
  const { agent, domain } = pool;
  await drain(pool, slot, old);
  yield;
  const { structured } = await agent.call("wait_drain", { domain, slot, timeout: 30 });
  if (!structured.drained) throw new Error(`${domain}, slot ${slot} was not drained in 30 s`);
  await agent.call("set_server_state", { domain, slot, state: "maint" });
  yield;
  await agent.call("remove_server", { domain, slot });
  yield;
  await add(pool, slot, next);
  yield;
}

/** With requests in flight, which the old server finishes. */
async function* replaceAtOnce(pool: LoadedPool, { slot, old, next }: Turn): Changes {
  await remove(pool, slot, old);
  yield;
  await add(pool, slot, next);
  yield;
}

/** A taken slot that is named gets another address. */
async function* replaceInPlace(pool: LoadedPool, { slot, old, next }: Turn): Changes {
  await add(pool, slot, next);
  pool.history.closed(old.name);
  yield;
}

async function* drainAndReturn(pool: LoadedPool, slot: number, server: Backend): Changes {
  const { agent, domain, history } = pool;
  await drain(pool, slot, server);
  yield;
  history.opens(server.name);
  await agent.call("set_server_state", { domain, slot, state: "ready" });
  yield;
}

async function* addAndRemoveThird(pool: LoadedPool, server: Backend): Changes {
  await add(pool, 3, server);
  yield;
  await remove(pool, 3, server);
  yield;
}

async function drain(
  { agent, domain, history }: LoadedPool,
  slot: number,
  { name }: Backend,
): Promise<void> {
  await agent.call("set_server_state", { domain, slot, state: "drain" });
  history.closed(name);
}

async function remove(
  { agent, domain, history }: LoadedPool,
  slot: number,
  { name }: Backend,
): Promise<void> {
  await agent.call("remove_server", { domain, slot });
  history.closed(name);
}

async function add(
  pool: LoadedPool,
  slot: number,
  { name, address, port }: Backend,
): Promise<void> {
  const { agent, domain, history } = pool;
  history.opens(name);
  const weight = 1 + below(pool, 10);
  await agent.call("add_server", { domain, slot, ip: address, http_port: port, weight });
}

/** Domains that come and go, with all that can be set of them; each second one shares the loaded pool. */
export async function* changeOtherDomains(
  changing: Changing & { readonly label: string; readonly shared: string },
): Changes {
  const { agent, label, shared } = changing;
  for (let round = 1;; round++) {
    const domain = `${label}${round}.test`;
    const call = (name: string, args: object) => agent.call(name, { domain, ...args });
    const ip = () => `10.${below(changing, 256)}.${below(changing, 256)}.1`;
    const servers = [{ slot: 3, ip: ip() }, { slot: 4, ip: ip(), weight: 9 }];
    const steps: readonly (() => Promise<unknown>)[] = round % 2 === 0
      ? [
        () => call("add_domain", { share_with: shared, wildcard: true }),
        () => call("remove_domain", {}),
      ]
      : [
        () => call("add_domain", { ip: ip(), wildcard: true }),
        () => call("add_server", { ip: ip() }),
        () => call("set_server_weight", { slot: 1, weight: below(changing, 257) }),
        () => call("set_server_state", { slot: 2, state: "drain", force: true }),
        () => call("set_domain_state", { state: "maint" }),
        () => call("add_servers", { servers }),
        () => call("set_domain_state", { state: "ready" }),
        () => call("remove_server", { slot: 1 + below(changing, 4), force: true }),
        () => call("remove_domain", {}),
      ];
    for (const step of steps) {
      await step();
      yield;
    }
  }
}

export interface ChangingCertificates extends Changing {
  /** HAPROXY_ROOT. */
  readonly root: string;
  /** The domain under load, and PEMs of it that take turns. */
  readonly domain: string;
  readonly loaded: readonly string[];
  /** PEMs of another domain. */
  readonly other: { readonly domain: string; readonly pems: readonly string[] };
}

/** A certificate that is loaded, replaced and deleted, and in between the one under load, replaced. */
export async function* changeCertificates(changing: ChangingCertificates): Changes {
  const { agent, root, domain, loaded, other } = changing;
  const load = async (domain: string, pem: string) => {
    await putCertificate(root, domain, pem);
    await agent.call("load_cert", { domain });
  };
  for (let round = 1;; round++) {
    await load(other.domain, other.pems[0]);
    yield;
    await load(domain, loaded[round % loaded.length]);
    yield;
    await load(other.domain, other.pems[1]);
    yield;
    await agent.call("delete_cert", { domain: other.domain });
    yield;
  }
}

/** As a person would copy it there: whole or not at all. */
export async function putCertificate(root: string, domain: string, pem: string): Promise<void> {
  const path = join(root, `certs/${domain}.pem`);
  await Deno.writeTextFile(`${path}.new`, pem, { mode: 0o600 });
  await Deno.rename(`${path}.new`, path);
}

/** Each resolves in its turn, so many in a second at most. */
export function paced(rate: number): () => Promise<void> {
  const began = performance.now();
  let turns = 0;
  return () => delay(Math.max(0, began + 1000 * turns++ / rate - performance.now()));
}

const below = ({ random }: Changing, limit: number) => Math.floor(random() * limit);
