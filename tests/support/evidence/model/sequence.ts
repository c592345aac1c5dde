/**
 * One sequence: clients and disturbances in rounds, from a seed. After each round everything settles, and disk, HAProxy,
 * the reading tools and the model have to agree; in the end HAProxy is killed and started, and they have to agree again.
 */
import { join } from "node:path";
import { startBackend } from "../../backend.ts";
import { type HaproxyVersion, startHaproxy } from "../../haproxy.ts";
import { randomFrom } from "../record.ts";
import { differences, lookAtHaproxy, type View } from "../view.ts";
import { httpCaller, shellCaller, stdioCaller } from "./callers.ts";
import { act, type Client, type Counts, type Fault, type Play } from "./crowd.ts";
import { makePems, type PemStock } from "./hands.ts";
import { DISTURBANCES, OPERATIONS, type Operator, restoreExactly } from "./operator.ts";
import { COMMENTS, fingerprintOf, found, wanted } from "./seen.ts";
import { emptyModel, putServer } from "./site_model.ts";
import { openStage } from "./stage.ts";

export interface Played {
  readonly counts: Counts;
  readonly faults: readonly Fault[];
  /** What was done, in its order. */
  readonly actions: readonly string[];
}

const SHAPE = { pools: 10, slots: 3 };
const ROUNDS = 2;
/** Of each client in each round; the shell starts a process for each. */
const STEPS = { mcp: 7, shell: 2 };
const OWNERS = ["a", "b", "c", "d"].map((name) => ["1", "2", "3"].map((i) => `${name}${i}.test`));
const BY_HAND = ["hand1.test", "hand2.test"];
const SHARED = "shared.test";

/** Keys take time to make. */
const withCertificate = (domains: readonly string[]) => domains.slice(0, 2);
let pems: Promise<PemStock> | undefined;
/** Their verdict is the machine's as well: one that is short of time lets a check of what lives fail. */
const withoutChecks = (config: string) => config.replace("check inter 2s", "check inter 1h");

/** Plays it to its end, or to its first fault. */
export async function play(version: HaproxyVersion, seed: number): Promise<Played> {
  const random = randomFrom(seed);
  const begin = performance.now();
  const actions: string[] = [];
  const log = (line: string) => {
    actions.push(`${String(Math.round(performance.now() - begin)).padStart(6)} ${line}`);
  };
  await using ends = new AsyncDisposableStack();
  const backends = [0, 1].map(() => ends.use(startBackend("one", { hostname: "::" })));
  const ports = backends.map(({ port }) => port);
  const haproxy = ends.use(
    await startHaproxy({
      version,
      ...SHAPE,
      domains: `${COMMENTS}${SHARED} pool_1\n`,
      edit: withoutChecks,
    }),
  );
  const stage = ends.use(await openStage(haproxy));
  const stock = await (pems ??= makePems([...OWNERS.flatMap(withCertificate), ...BY_HAND]));
  const usable = new Set(
    [...stock.values()].flatMap((each) => each.slice(0, 2))
      .map(({ fingerprint }) => fingerprint),
  );
  const site: Play = {
    stage,
    shape: SHAPE,
    pems: stock,
    usable,
    model: emptyModel(),
    drift: new Set(),
    adding: 0,
    counts: { changes: 0, restarts: 0, reloads: 0, "hand edits": 0 },
    faults: [],
    log,
  };
  const callers = [
    httpCaller("2026", stage.agent),
    httpCaller("2025", stage.agent),
    ends.use(await stdioCaller(haproxy, random() < 0.5 ? "2025" : "2026")),
    shellCaller(haproxy),
  ];
  const clients = callers.map((caller, i): Client => ({
    caller,
    owner: {
      domains: OWNERS[i],
      certified: withCertificate(OWNERS[i]),
      shared: SHARED,
      shape: SHAPE,
      ports,
      random: randomFrom(random() * 2 ** 32),
    },
  }));
  const operator = { random: randomFrom(random() * 2 ** 32), domains: BY_HAND, ports };
  const someone = (): Operator => ({
    ...operator,
    caller: callers[Math.floor(operator.random() * 3)],
  });
  site.model.map.set(SHARED, "pool_1");
  const first = { ip: "127.0.0.1", http_port: ports[0] };
  await callers[0].ask("add_server", { domain: SHARED, ...first });
  putServer(site.model, "pool_1", 1, { ...first, weight: 1, state: "ready" });

  try {
    for (let round = 0; round < ROUNDS && site.faults.length === 0; round++) {
      log(`--- round ${round + 1}`);
      await crowd(site, clients, operator.random, someone);
      await agree(site, someone());
      for (let i = 0; i < 2 && site.faults.length === 0; i++) {
        const names = Object.keys(OPERATIONS);
        const name = names[Math.floor(operator.random() * names.length)];
        log(`operator: ${name}`);
        await OPERATIONS[name](site, someone());
        await agree(site, someone());
      }
    }
    if (site.faults.length === 0) await startAnew(site, someone());
  } catch (cause) {
    log(`${(cause as Error).stack}`);
    site.faults.push({ kind: "failed", what: `${cause}` });
  }
  if (site.faults.length > 0) actions.push(stage.logs(), await haproxy.logs());
  return { counts: site.counts, faults: site.faults, actions };
}

/** All clients, and what happens under them: each time after so many steps, never after so much time. */
async function crowd(
  site: Play,
  clients: readonly Client[],
  random: () => number,
  someone: () => Operator,
): Promise<void> {
  const steps = clients.map(({ caller }) => caller.name === "shell" ? STEPS.shell : STEPS.mcp);
  const all = steps.reduce((sum, each) => sum + each, 0);
  const names = Object.keys(DISTURBANCES);
  const plan = [0.25, 0.6].map((share) => ({
    at: Math.floor(all * (share + random() * 0.2)),
    name: names[Math.floor(random() * names.length)],
  }));
  let done = 0;
  let disturbing: Promise<void> = Promise.resolve();
  const stepDone = () => {
    done++;
    for (const { name } of plan.filter(({ at }) => at === done)) {
      disturbing = disturbing.then(async () => {
        site.log(`=== ${name}`);
        await DISTURBANCES[name](site, someone());
        site.log(`=== ${name}: over`);
      });
      disturbing.catch(() => {});
    }
  };
  // Nobody may call any more when the site is closed.
  const ends = await Promise.allSettled(
    clients.map((client, i) => act(site, client, steps[i], stepDone)),
  );
  await disturbing;
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

/** Everything settles; what hands have changed in HAProxy is put right; then all say the same. */
async function agree(site: Play, operator: Operator): Promise<void> {
  if (site.faults.length > 0) return;
  await site.stage.steady();
  await restoreExactly(site, operator);
  await compare(site, operator, "");
}

async function compare(site: Play, { caller }: Operator, when: string): Promise<void> {
  const { stage: { haproxy }, model, shape } = site;
  const pem = await Deno.readTextFile(join(haproxy.root, "certs/default.pem"));
  const right = wanted(model, shape, { fingerprint: await fingerprintOf(pem) });
  const seen = await found(haproxy, caller);
  site.log(`compared by ${caller.name}`);
  for (const name of differences(seen, right)) {
    const kind = name in LOST_WITH ? "lost" : "half";
    site.faults.push({ kind, what: `${when}${name} is${describe(seen[name], right[name])}` });
  }
}

/** What differs from the model there is gone; elsewhere it differs from these. */
const LOST_WITH: View = { "domains.map": "", "servers.json": "", "PEMs": "", "crt-list": "" };

function describe(seen = "", right = ""): string {
  const [a, b] = [seen.split("\n"), right.split("\n")];
  const lines = [
    ...a.filter((line) => !b.includes(line)).map((line) => `has ${line}`),
    ...b.filter((line) => !a.includes(line)).map((line) => `lacks ${line}`),
  ];
  return `\n  ${lines.join("\n  ")}`;
}

/** HAProxy comes up right by itself, and the agent finds nothing to do. */
async function startAnew(site: Play, operator: Operator): Promise<void> {
  const { stage, counts } = site;
  const before = await lookAtHaproxy(stage.haproxy);
  counts.restarts++;
  await stage.killHaproxy(0);
  const started = await lookAtHaproxy(stage.haproxy);
  for (const name of differences(before, started)) {
    const what = `after HAProxy's start ${name} is${describe(started[name], before[name])}`;
    site.faults.push({ kind: "half", what });
  }
  await stage.steady();
  const verdict = await stage.verdict();
  if (verdict !== "it holds what disk says") {
    site.faults.push({ kind: "half", what: `after HAProxy's start: ${verdict}` });
  }
  await compare(site, operator, "after HAProxy's start ");
}
