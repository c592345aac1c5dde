/** What happens to the whole site: under the clients' calls (`DISTURBANCES`), and while nobody calls (`operate`). */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Caller } from "./callers.ts";
import type { Play } from "./crowd.ts";
import { putPem, replaceFile } from "./hands.ts";
import { readSaved } from "./seen.ts";
import {
  domainOf,
  keysOf,
  type ModelPools,
  type ModelServer,
  poolNames,
  putServer,
  slotsOf,
  takeServer,
} from "./site_model.ts";

export interface Operator {
  readonly random: () => number;
  /** Any of the clients' ways. */
  readonly caller: Caller;
  /** Of nobody else: those that are put into the files by hand. */
  readonly domains: readonly string[];
  readonly ports: readonly number[];
}

type Act = (play: Play, operator: Operator) => Promise<void>;

const pick = <T>(random: () => number, list: readonly T[]): T =>
  list[Math.floor(random() * list.length)];

const killHaproxy: Act = async ({ stage, counts }, { random }) => {
  counts.restarts++;
  await stage.killHaproxy(Math.floor(random() * 300));
};

const killAgent: Act = async ({ stage, counts }) => {
  counts.restarts++;
  await stage.killAgent();
};

const killBoth: Act = async ({ stage, counts }, { random }) => {
  counts.restarts += 2;
  await stage.killBoth(random() < 0.5);
};

const signalReload: Act = async ({ stage, counts }) => {
  counts.reloads++;
  await stage.replaceWorker(() => stage.haproxy.reload());
};

const toolReload: Act = async (play, { caller }) => {
  play.counts.reloads++;
  await play.stage.replaceWorker(async () => {
    const { reloaded } = await mustDo(play, caller, "reload", {});
    if (reloaded !== true) fault(play, `reload answered reloaded=${reloaded}`);
  });
};

const restore: Act = async (play, { caller }) => {
  await mustDo(play, caller, "restore_state", {});
};

const save: Act = async (play, { caller }) => {
  await mustDo(play, caller, "save_state", {});
  // Whatever others had just changed then. The model may be another one by now.
  const saved = await readSaved(play.stage.haproxy.root);
  play.model.saved = saved;
};

/** By what the log calls them. */
export const DISTURBANCES: Readonly<Record<string, Act>> = {
  "kill -9 of HAProxy": killHaproxy,
  "kill -9 of the agent": killAgent,
  "kill -9 of both": killBoth,
  "SIGUSR2": signalReload,
  "the tool's reload": toolReload,
  "restore_state": restore,
  "save_state": save,
};

/** With nobody else calling, and what is known of HAProxy exact: all drift is put right before. */
export const OPERATIONS: Readonly<Record<string, Act>> = {
  "save_state and back": async (play, operator) => {
    await saveExactly(play, operator);
    await changeSome(play, operator);
    await restoreSaved(play, operator);
  },
  "adopts a weight and a state set by hand": async (play, operator) => {
    const { random } = operator;
    const places = allPlaces(play.model.pools);
    if (places.length === 0) return;
    const { haproxy } = play.stage;
    const running = structuredClone(play.model.pools);
    for (const [pool, slot, server] of [pick(random, places), pick(random, places)]) {
      const state = pick(random, ["ready", "drain", "maint"] as const);
      const weight = Math.floor(random() * 257);
      const name = `${pool}/${pool}_${slot}`;
      for (const change of [`state ${state}`, `weight ${weight}`]) {
        await haproxy.runtime(`set server ${name} ${change}`);
      }
      putServer({ ...play.model, pools: running }, pool, slot, { ...server, state, weight });
      play.drift.add(`${pool}_${slot}`);
    }
    play.counts["hand edits"]++;
    await saveExactly(play, operator, running);
    if (random() < 0.5) await restoreSaved(play, operator);
    else await restoreExactly(play, operator);
  },
  "adds a line to domains.map": (play, operator) =>
    edit(play, operator, async () => {
      const { random, domains } = operator;
      const missing = domains.flatMap((domain) => [domain, `.${domain}`])
        .filter((key) => !play.model.map.has(key));
      if (missing.length === 0) return;
      const key = pick(random, missing);
      const pool = pick(random, poolNames(play.shape));
      const path = join(play.stage.haproxy.root, "conf/domains.map");
      await replaceFile(path, `${await Deno.readTextFile(path)}${key} ${pool}\n`);
      play.model.map.set(key, pool);
      play.drift.add(domainOf(key));
    }),
  "takes a line out of domains.map": (play, operator) =>
    edit(play, operator, async () => {
      const keys = [...play.model.map.keys()].filter((key) => key !== "shared.test");
      if (keys.length === 0) return;
      const key = pick(operator.random, keys);
      const path = join(play.stage.haproxy.root, "conf/domains.map");
      const lines = (await Deno.readTextFile(path)).split("\n");
      await replaceFile(path, lines.filter((line) => line.split(" ")[0] !== key).join("\n"));
      play.model.map.delete(key);
      play.drift.add(domainOf(key));
    }),
  "edits servers.json": (play, operator) =>
    edit(play, operator, async () => {
      const { random, ports } = operator;
      const { model, shape } = play;
      // Pools that no domain leads to any more are emptied; elsewhere one server changes.
      for (const pool of poolNames(shape).filter((each) => keysOf(model, each).length === 0)) {
        for (const slot of slotsOf(model, pool).keys()) {
          takeServer(model, pool, slot);
          play.drift.add(`${pool}_${slot}`);
        }
      }
      const pools = [...new Set(model.map.values())];
      if (pools.length > 0) {
        const pool = pick(random, pools);
        const slot = 1 + Math.floor(random() * shape.slots);
        const server = {
          ip: "127.0.9.9",
          http_port: pick(random, ports),
          weight: 1 + Math.floor(random() * 256),
          state: pick(random, ["ready", "ready", "drain", "maint"] as const),
        };
        if (random() < 0.7) putServer(model, pool, slot, server);
        else takeServer(model, pool, slot);
        play.drift.add(`${pool}_${slot}`);
      }
      const json = Object.fromEntries(
        [...model.pools].map(([pool, slots]) => [pool, Object.fromEntries(slots)]),
      );
      await replaceFile(
        join(play.stage.haproxy.root, "conf/servers.json"),
        JSON.stringify(json, null, 1),
      );
    }),
  "puts a certificate into the crt-list": (play, operator) =>
    edit(play, operator, async () => {
      const { root } = play.stage.haproxy;
      const domain = pick(operator.random, operator.domains);
      const pem = pick(operator.random, play.pems.get(domain)!.slice(0, 2));
      const path = join(root, "certs/crt-list.txt");
      const before = play.model.certificates.get(domain) ?? { listed: false, known: false };
      await putPem(root, domain, pem);
      if (!before.listed) {
        const line = `${join(root, `certs/${domain}.pem`)} ${domain}\n`;
        await replaceFile(path, await Deno.readTextFile(path) + line);
      }
      play.model.certificates.set(domain, { ...before, file: pem.fingerprint, listed: true });
      play.drift.add(`${domain}.pem`);
    }),
  "takes a certificate out of the crt-list": async (play, operator) => {
    const names = operator.domains.filter((domain) => {
      const certificate = play.model.certificates.get(domain);
      return certificate?.listed && !certificate.known;
    });
    if (names.length === 0) return;
    const domain = pick(operator.random, names);
    const { root } = play.stage.haproxy;
    const path = join(root, "certs/crt-list.txt");
    const lines = (await Deno.readTextFile(path)).split("\n");
    await replaceFile(path, lines.filter((line) => !line.endsWith(` ${domain}`)).join("\n"));
    await Deno.remove(join(root, `certs/${domain}.pem`));
    play.model.certificates.delete(domain);
    play.counts["hand edits"]++;
    // What the files no longer name HAProxy forgets when it reads them.
    await pick(operator.random, [signalReload, toolReload, killHaproxy, killBoth])(play, operator);
    await play.stage.steady();
  },
  "restarts HAProxy": killHaproxy,
  "restarts both": killBoth,
  "reloads": async (play, operator) =>
    await pick(operator.random, [signalReload, toolReload])(play, operator),
};

/** An edit by hand, and one of the ways by which it comes into force. */
async function edit(play: Play, operator: Operator, change: () => Promise<void>): Promise<void> {
  await change();
  play.counts["hand edits"]++;
  const ways = { killHaproxy, killAgent, killBoth, signalReload, toolReload, restoreExactly };
  const way = pick(operator.random, Object.keys(ways) as (keyof typeof ways)[]);
  play.log(`  in force by ${way}`);
  await ways[way](play, operator);
  await play.stage.steady();
  play.drift.clear();
}

async function saveExactly(play: Play, { caller }: Operator, running = play.model.pools) {
  const servers = [...running.values()].reduce((sum, slots) => sum + slots.size, 0);
  const answer = await mustDo(play, caller, "save_state", {});
  if (answer.servers !== servers) fault(play, `save_state saved ${answer.servers}, not ${servers}`);
  play.model.saved = structuredClone(running);
}

/** Something for restore_state to take back. */
async function changeSome(play: Play, { caller, random }: Operator): Promise<void> {
  const places = allPlaces(play.model.pools);
  if (places.length === 0) return;
  const [pool, slot, server] = pick(random, places);
  const weight = (server.weight + 1) % 257;
  const address = { backend: pool, server: `${pool}_${slot}` };
  await mustDo(play, caller, "set_server_weight", { ...address, weight });
  putServer(play.model, pool, slot, { ...server, weight });
}

async function restoreSaved(play: Play, { caller }: Operator): Promise<void> {
  await mustDo(play, caller, "restore_state", { source: "state_file" });
  play.model = { ...play.model, pools: structuredClone(play.model.saved!) };
  play.drift.clear();
}

/** What differs is what hands have changed, and nothing else. */
export async function restoreExactly(play: Play, { caller }: Operator): Promise<void> {
  const answer = await mustDo(play, caller, "restore_state", {});
  const changed = (answer.changed as readonly { readonly name: string }[]).map(({ name }) => name);
  const strange = changed.filter((name) => !play.drift.has(name));
  if (strange.length > 0) {
    const known = [...play.drift].join(", ") || "nothing";
    play.faults.push({
      kind: "half",
      what: `HAProxy was not what disk says: ${strange.join(", ")}; hands had changed ${known}`,
    });
  }
  play.drift.clear();
}

async function mustDo(play: Play, caller: Caller, tool: string, args: object) {
  play.log(`operator, ${caller.name}: ${tool} ${JSON.stringify(args)} …`);
  for (let i = 0;; i++) {
    const heard = await caller.ask(tool, args);
    play.log(`operator, ${caller.name}: ${tool} -> ${JSON.stringify(heard)}`);
    play.counts.changes += Number("done" in heard);
    if ("done" in heard) return heard.done;
    // The last restart's old process may still be seen.
    if (i === 5) {
      fault(play, `${tool} ${JSON.stringify(args)}: ${JSON.stringify(heard)}`);
      return {};
    }
    await delay(200);
  }
}

const fault = ({ faults }: Play, what: string) => void faults.push({ kind: "failed", what });

const allPlaces = (pools: ModelPools): (readonly [string, number, ModelServer])[] =>
  [...pools].flatMap(([pool, slots]) =>
    [...slots].map(([slot, server]) => [pool, slot, server] as const)
  );
