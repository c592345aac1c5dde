/** Several clients at once, each with domains of its own, while HAProxy and the agent are killed under them. */
import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import type { Caller, Heard } from "./callers.ts";
import { nextStep, type Owner, PEMS, type Step } from "./calls.ts";
import { candidates, type Doubts, sameOf, type Told, usedPools } from "./candidates.ts";
import type { Call } from "./effects.ts";
import { lendHand, type PemStock } from "./hands.ts";
import { readCertificates, readSite } from "./seen.ts";
import { keysOf, type Shape, type SiteModel } from "./site_model.ts";
import type { Stage } from "./stage.ts";

/** All that a sequence knows of its site. */
export interface Play {
  readonly stage: Stage;
  readonly shape: Shape;
  readonly pems: PemStock;
  readonly usable: ReadonlySet<string>;
  model: SiteModel;
  /** What hands have changed in HAProxy, and nobody has surely put right yet; as haproxy_restore_state names it. */
  readonly drift: Set<string>;
  /** Pools that somebody is about to get: calls under way. */
  adding: number;
  readonly counts: Counts;
  readonly faults: Fault[];
  log(line: string): void;
}

export interface Counts {
  changes: number;
  restarts: number;
  reloads: number;
  "hand edits": number;
}

/** lost: answered and not there. half: neither before nor after. failed: an answer that was not to be. */
export interface Fault {
  readonly kind: "lost" | "half" | "failed";
  readonly what: string;
}

export interface Client {
  readonly caller: Caller;
  readonly owner: Owner;
}

/** Milliseconds in which a killed agent is back and its callers have looked. */
const PATIENCE = 30_000;

/** @param stepDone told after each step */
export async function act(
  play: Play,
  { caller, owner }: Client,
  steps: number,
  stepDone: () => void,
): Promise<void> {
  for (let i = 0; i < steps; i++) {
    const step = nextStep(owner, play.model);
    await take(play, caller, owner, step);
    stepDone();
    if (play.faults.length > 0) return;
  }
}

async function take(play: Play, caller: Caller, owner: Owner, step: Step): Promise<void> {
  const { stage, pems, drift, counts } = play;
  const name = `${owner.domains[0]} ${caller.name}`;
  for (const hand of step.hands) {
    play.log(`${name}: by hand ${JSON.stringify(hand)}`);
    const subject = await lendHand(stage.haproxy, pems, hand);
    if (hand.hand === "put PEM") {
      const before = play.model.certificates.get(hand.domain) ?? { listed: false, known: false };
      const { fingerprint } = pems.get(hand.domain)![hand.which];
      play.model.certificates.set(hand.domain, { ...before, file: fingerprint });
      if (before.listed) drift.add(subject);
    } else {
      drift.add(subject);
    }
    counts["hand edits"]++;
  }
  const told = await Promise.all(step.calls.map((call) => tell(play, caller, name, call)));
  if (told.length > 0) await settle(play, caller, owner, told);
  await throwWrongPemAway(play, step);
}

/** Makes one call, and says in what circumstances. */
async function tell(play: Play, caller: Caller, name: string, call: Call): Promise<Told> {
  const { stage, shape } = play;
  const before = stage.troubles;
  const adds = call.tool === "add_domain";
  if (adds) play.adding++;
  const isCrowded = () => usedPools(play.model) + play.adding - 1 >= shape.pools;
  const watch = { crowded: isCrowded() };
  const timer = setInterval(() => watch.crowded ||= isCrowded(), 1);
  const line = `${name}: ${call.tool} ${JSON.stringify(call.args)}`;
  play.log(`${line} …`);
  try {
    const heard = await caller.ask(call.tool, call.args);
    play.log(`${line} -> ${JSON.stringify(heard)}`);
    play.counts.changes += Number("done" in heard && !call.args.dry_run);
    const disturbed = stage.troubles !== before || before % 2 === 1;
    return { call, heard, disturbed, crowded: watch.crowded || isCrowded() };
  } finally {
    clearInterval(timer);
    if (adds) play.adding--;
  }
}

/** Finds out what the calls have made of the site, and has the model say the same. */
async function settle(play: Play, caller: Caller, owner: Owner, told: readonly Told[]) {
  const { usable, shape } = play;
  const doubts: Doubts = { shape, usable };
  const fail = (kind: Fault["kind"], what: string) => {
    const calls = told.map(({ call, heard }) =>
      `${JSON.stringify(call)}: ${JSON.stringify(heard)}`
    );
    play.faults.push({ kind, what: `${what}: ${calls.join("; ")}` });
  };
  await poolsAreFree(play, owner, told);
  if (told.every(({ heard }) => !("unknown" in heard))) {
    const found = candidates(play.model, told, doubts);
    if (found.length === 0) return fail("failed", "no order explains the answers");
    if (found.length === 1) return void (play.model = found[0]);
  }
  const seen = await look(play, caller);
  const poolSeen = (key: string) => seen.map.get(key);
  const all = candidates(play.model, told, { ...doubts, poolSeen });
  const right = all.filter((model) =>
    sameOf(owner.domains, model, seen) &&
    owner.domains.every((domain) => {
      const { file, listed } = model.certificates.get(domain) ?? { listed: false };
      return seen.files.get(`${domain}.pem`) === file && seen.listed.has(domain) === listed;
    })
  );
  if (right.length === 0) {
    return fail("half", `neither before nor after (${JSON.stringify([...seen.map])})`);
  }
  play.log(`${owner.domains[0]}: looked, ${right.length} of ${all.length} fit`);
  play.model = right[0];
}

/** A pool whose last domain is being removed is free before its remover has heard so. */
async function poolsAreFree(play: Play, { domains }: Owner, told: readonly Told[]): Promise<void> {
  const isMine = (key: string) => domains.includes(key.replace(/^\./, ""));
  for (const { call, heard } of told) {
    const { share_with, dry_run } = call.args;
    if (call.tool !== "add_domain" || !("done" in heard) || share_with || dry_run) continue;
    const pool = heard.done.pool as string;
    const isTaken = () => keysOf(play.model, pool).some((key) => !isMine(key));
    for (const end = Date.now() + PATIENCE; isTaken() && Date.now() < end;) await delay(10);
  }
}

/** Once everything is up again: nobody but the agent and these files can know. */
async function look({ stage }: Play, caller: Caller) {
  for (;;) {
    await stage.whole();
    const before = stage.troubles;
    const heard: Heard[] = [];
    const site = await readSite(async (tool, args = {}) => {
      const each = await caller.ask(tool, args);
      heard.push(each);
      return "done" in each ? each.done : { domains: [] };
    });
    const certificates = await readCertificates(stage.haproxy.root);
    if (before === stage.troubles && heard.every((each) => "done" in each)) {
      return { ...site, ...certificates };
    }
  }
}

/** A person who is told that a file can't be used does not leave it there. */
async function throwWrongPemAway(play: Play, { hands }: Step): Promise<void> {
  for (const hand of hands) {
    if (hand.hand !== "put PEM" || hand.which !== PEMS.wrong) continue;
    await Deno.remove(join(play.stage.haproxy.root, `certs/${hand.domain}.pem`));
    play.model.certificates.delete(hand.domain);
  }
}
