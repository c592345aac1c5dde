/** What a client does next with its own domains: calls that fit, calls that have to be refused, and changes by hand. */
import type { Call } from "./effects.ts";
import { keyOf, type Shape, type SiteModel, slotsOf } from "./site_model.ts";

/** Changes behind the agent's back, which it has to put right. Each is of the client's own domains. */
export type Hand =
  | { readonly hand: "put PEM"; readonly domain: string; readonly which: number }
  | { readonly hand: "weight"; readonly server: string; readonly value: number }
  | { readonly hand: "state"; readonly server: string; readonly value: string }
  | { readonly hand: "map entry gone"; readonly key: string }
  | { readonly hand: "map entry added"; readonly key: string; readonly pool: string }
  | { readonly hand: "crt-list line gone"; readonly domain: string };

export interface Step {
  readonly hands: readonly Hand[];
  /** Sent at once; in which order they come is the agent's. */
  readonly calls: readonly Call[];
}

export interface Owner {
  readonly domains: readonly string[];
  /** Those of them for which there are PEMs. */
  readonly certified: readonly string[];
  /** The domain that all may share, and nobody else touches. */
  readonly shared: string;
  readonly shape: Shape;
  /** Of the backends. */
  readonly ports: readonly number[];
  readonly random: () => number;
}

/** PEMs of one name: two that can be used, one that is for another name. */
export const PEMS = { first: 0, second: 1, wrong: 2 } as const;

export function nextStep(owner: Owner, model: SiteModel): Step {
  const { random } = owner;
  const chance = (share: number) => random() < share;
  if (chance(0.06)) return { hands: driftOf(owner, model), calls: [] };
  if (chance(0.22)) return certificateStep(owner, model);
  const count = chance(0.15) ? 2 + Number(chance(0.3)) : 1;
  const first = nextCall(owner, model);
  // Together they are about the same thing, more often than not.
  const more = Array.from(
    { length: count - 1 },
    () =>
      LEAVING.has(first.tool) && chance(0.6)
        ? anotherLeaves(owner, model, first)
        : nextCall(owner, model, first.args.domain),
  );
  const calls = [first, ...more].map((call) =>
    chance(0.06) ? { ...call, args: { ...call.args, dry_run: true } } : call
  );
  return { hands: [], calls };
}

function nextCall(owner: Owner, model: SiteModel, about?: string): Call {
  const { random, shape } = owner;
  const chance = (share: number) => random() < share;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const names = owner.domains.flatMap((domain) => [domain, `*.${domain}`]);
  const existing = names.filter((name) => model.map.has(keyOf(name)));
  const missing = names.filter((name) => !model.map.has(keyOf(name)));
  const others = existing.filter((name) => poolIn(model, name) !== poolIn(model, owner.shared));
  // A shared pool is left alone: what comes of it would depend on the others.
  const domain = about !== undefined && others.includes(about) && chance(0.7)
    ? about
    : others.length > 0 && chance(0.93)
    ? pick(others)
    : pick(missing.length > 0 ? missing : names);
  const pool = poolIn(model, domain);
  const onShared = pool !== undefined && pool === poolIn(model, owner.shared);
  const taken = pool === undefined ? [] : [...slotsOf(model, pool).keys()];
  const ready = taken.length > 0 && !onShared;
  const slot = ready && chance(0.9) ? pick(taken) : 1 + Math.floor(random() * (shape.slots + 1));
  const address = pool !== undefined && chance(0.4)
    ? { backend: pool, server: `${pool}_${Math.min(slot, shape.slots)}` }
    : { domain, slot };
  const force = chance(0.3) ? { force: true } : {};

  if (existing.length < owner.domains.length && chance(0.35)) return addDomain(owner, missing);
  if (existing.length > 0 && chance(0.12)) {
    const gone = chance(0.9) ? pick(existing) : pick(names);
    return { tool: "remove_domain", args: { domain: gone } };
  }
  if (onShared || pool === undefined && chance(0.6)) return addDomain(owner, names);
  if (!ready || chance(0.3)) {
    return chance(0.6)
      ? {
        tool: "add_server",
        args: { domain, ...server(owner), ...chance(0.4) && { slot: pick([0, 1, slot]) } },
      }
      : { tool: "add_servers", args: { domain, servers: servers(owner) } };
  }
  switch (Math.floor(random() * 6)) {
    case 0:
      return { tool: "remove_server", args: { domain, slot, ...force } };
    case 1:
    case 2: {
      const state = pick(["ready", "drain", "maint"]);
      return { tool: "set_server_state", args: { ...address, state, ...force } };
    }
    case 3:
      return {
        tool: "set_domain_state",
        args: { domain, state: pick(["ready", "ready", "drain", "maint"]) },
      };
    default:
      return {
        tool: "set_server_weight",
        args: { ...address, weight: pick([0, 1, 2, 77, 255, 256]) },
      };
  }
}

/** Of two that go at once, the second may be the last healthy one. */
const LEAVING = new Set(["remove_server", "set_server_state"]);

function anotherLeaves({ random }: Owner, model: SiteModel, { args }: Call): Call {
  const pool: string = args.backend ?? poolIn(model, args.domain);
  const slots = [...slotsOf(model, pool).keys()];
  const server = `${pool}_${slots[Math.floor(random() * slots.length)] ?? 1}`;
  const state = random() < 0.5 ? "drain" : "maint";
  return { tool: "set_server_state", args: { backend: pool, server, state } };
}

function addDomain(owner: Owner, names: readonly string[]): Call {
  const { random } = owner;
  const domain = names[Math.floor(random() * names.length)] ?? owner.domains[0];
  const way = random();
  const wildcard = random() < 0.3 ? { wildcard: true } : {};
  if (way < 0.2) {
    const share_with = random() < 0.5 ? owner.shared : owner.domains[0];
    return { tool: "add_domain", args: { domain, share_with, ...wildcard } };
  }
  if (way < 0.35) return { tool: "add_domain", args: { domain, ...wildcard } };
  const { ip, http_port } = server(owner);
  return { tool: "add_domain", args: { domain, ip, http_port, ...wildcard } };
}

function server({ random, ports }: Owner) {
  const one = () => 1 + Math.floor(random() * 9);
  return {
    ip: random() < 0.1 ? "::1" : `127.0.${one()}.${one()}`,
    http_port: ports[Math.floor(random() * ports.length)],
    ...random() < 0.4 && { weight: Math.floor(random() * 257) },
  };
}

function servers(owner: Owner): unknown {
  const { random, shape } = owner;
  const list = Array.from({ length: 1 + Math.floor(random() * 3) }, () => ({
    ...server(owner),
    ...random() < 0.4 && { slot: Math.floor(random() * (shape.slots + 1)) },
  }));
  return random() < 0.3 ? JSON.stringify(list) : list;
}

/** A person puts a file there and has it loaded, or not; or has one deleted. */
function certificateStep(owner: Owner, model: SiteModel): Step {
  const { random, certified } = owner;
  const domain = certified[Math.floor(random() * certified.length)];
  const load = { tool: "load_cert", args: { domain } };
  const remove = { tool: "delete_cert", args: { domain } };
  const here = model.certificates.get(domain);
  const way = random();
  if (way < 0.25) return { hands: [], calls: [here || random() < 0.2 ? remove : load] };
  if (way < 0.32) return { hands: [], calls: [load] };
  // HAProxy would not start with a file that can't be used, where a line of the crt-list names it.
  const good = random() < 0.5 ? PEMS.first : PEMS.second;
  const which = way < 0.45 && here === undefined ? PEMS.wrong : good;
  const put: Hand = { hand: "put PEM", domain, which };
  return { hands: [put], calls: random() < 0.9 || which === PEMS.wrong ? [load] : [] };
}

function driftOf(owner: Owner, model: SiteModel): Hand[] {
  const { random, domains, shared } = owner;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const keys = domains.flatMap((domain) => [domain, `.${domain}`]);
  const mine = keys.filter((key) => model.map.has(key));
  const pools = new Set(mine.map((key) => model.map.get(key)!));
  pools.delete(model.map.get(shared)!);
  const places = [...pools].flatMap((pool) =>
    [...slotsOf(model, pool).keys()].map((slot) => `${pool}/${pool}_${slot}`)
  );
  const listed = domains.filter((domain) => model.certificates.get(domain)?.listed);
  const missing = keys.filter((key) => !model.map.has(key));
  const all: (Hand | undefined)[] = [
    places.length > 0
      ? { hand: "weight", server: pick(places), value: Math.floor(random() * 257) }
      : undefined,
    places.length > 0
      ? { hand: "state", server: pick(places), value: pick(["ready", "drain", "maint"]) }
      : undefined,
    mine.length > 0 ? { hand: "map entry gone", key: pick(mine) } : undefined,
    missing.length > 0
      ? { hand: "map entry added", key: pick(missing), pool: model.map.get(shared)! }
      : undefined,
    listed.length > 0 ? { hand: "crt-list line gone", domain: pick(listed) } : undefined,
  ];
  return [pick(all)].filter((hand) => hand !== undefined);
}

const poolIn = ({ map }: SiteModel, name: string) => map.get(keyOf(name));
