/** What the page's viewers see, rendered once for all who look at the same list, and looked at again while somebody watches. */
import { AgentError } from "../../errors.ts";
import { log } from "../../log.ts";
import type { Overview, OverviewQuestion } from "../../overview.ts";
import { allParts, changedParts, type Part } from "./parts.ts";
import { SECTIONS, type Sections, sectionsOf } from "./page.ts";

export interface Snapshot {
  readonly sections: Sections;
  /** Changes with the sections. */
  readonly revision: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Told which parts are new. */
export type Watcher = (ids: readonly string[]) => void;

export interface Feed {
  /** As it is now, or was a moment ago. Throws where the tools room has not answered yet. */
  read(): Promise<Snapshot>;
  /** The last one that was read, without a look. */
  readonly last: Snapshot | undefined;
  /** The part as it is now. */
  part(id: string): Part | undefined;
  /** The returned function ends it. */
  watch(watcher: Watcher): () => void;
}

export interface Feeds {
  /** For one look: it is answered whatever others watch. */
  of(question: OverviewQuestion): Feed;
  /** For a stream. Undefined: this principal, or all together, watch as many lists as may be. */
  hold(question: OverviewQuestion, principal: string): HeldFeed | undefined;
  close(): void;
}

export interface HeldFeed {
  readonly feed: Feed;
  /** May be called more than once. */
  release(): void;
}

export interface FeedTimes {
  /** Milliseconds between two looks while somebody watches. */
  readonly every: number;
  /** A look is used for so long by those who come. */
  readonly fresh: number;
}

const TIMES: FeedTimes = { every: 2_000, fresh: 1_000 };
/** A look that takes long comes the more seldom. */
const REST_TIMES = 5;
/** Lists that differ in what was searched for, or in the page; beside the first page of all, which everybody may watch. */
const MAX_LISTS = 32;
/** Of one principal: who watches without end leaves room for the others. */
const MAX_OWN_LISTS = MAX_LISTS / 2;

interface Place {
  readonly feed: ReturnType<typeof createFeed>;
  /** Whose streams it has, a name each. */
  readonly holders: string[];
}

export function createFeeds(
  look: (question: OverviewQuestion) => Promise<Overview>,
  times: FeedTimes = TIMES,
): Feeds {
  const first = createPlace({ search: "", page: 1 });
  const places = new Map<string, Place>();

  function createPlace(question: OverviewQuestion): Place {
    return { feed: createFeed(() => look(question), question, times), holders: [] };
  }

  /** Undefined: all are watched. */
  function placeOf(question: OverviewQuestion): Place | undefined {
    const { search, page } = question;
    if (search === "" && page === 1) return first;
    const key = JSON.stringify([search, page]);
    const known = places.get(key);
    if (known) return known;
    if (places.size >= MAX_LISTS) {
      const idle = places.entries().find(([, { holders }]) => holders.length === 0);
      if (!idle) return undefined;
      places.delete(idle[0]);
    }
    const place = createPlace(question);
    places.set(key, place);
    return place;
  }

  function mayHold(principal: string, place: Place): boolean {
    if (place === first || place.holders.includes(principal)) return true;
    const own = places.values().filter(({ holders }) => holders.includes(principal)).toArray();
    return own.length < MAX_OWN_LISTS;
  }

  return {
    of: (question) => (placeOf(question) ?? createPlace(question)).feed,
    hold(question, principal) {
      const place = placeOf(question);
      if (!place || !mayHold(principal, place)) return undefined;
      const { feed, holders } = place;
      holders.push(principal);
      let over = false;
      return {
        feed,
        release() {
          if (over) return;
          over = true;
          holders.splice(holders.indexOf(principal), 1);
        },
      };
    },
    close() {
      for (const { feed } of [first, ...places.values()]) feed.close();
      places.clear();
    },
  };
}

function createFeed(
  look: () => Promise<Overview>,
  question: OverviewQuestion,
  { every, fresh }: FeedTimes,
) {
  // A restart of the agent is another row of revisions.
  const row = crypto.randomUUID().slice(0, 8);
  const watchers = new Set<Watcher>();
  let overview: Overview | undefined;
  let last: Snapshot | undefined;
  /** Of the last snapshot, once somebody has asked for one. */
  let parts: ReadonlyMap<string, Part> | undefined;
  let count = 0;
  let looking: Promise<void> | undefined;
  let lookedAt = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  function refresh(): Promise<void> {
    return looking ??= take().finally(() => {
      looking = undefined;
      lookedAt = performance.now();
    });
  }

  async function take(): Promise<void> {
    let problem = "";
    try {
      overview = await look();
    } catch (cause) {
      log.debug(`The status page was not renewed: ${AgentError.from(cause).message}`);
      if (overview === undefined) throw cause;
      problem = "The agent's tools room does not answer. What follows is not of this moment.";
    }
    const sections = sectionsOf(overview, question, problem);
    const before = last?.sections;
    const ids = SECTIONS.flatMap((name) =>
      before ? changedParts(before[name], sections[name]).map(({ id }) => id) : [name]
    );
    if (ids.length > 0) count++;
    last = { sections, revision: `${row}-${count}`, at: overview.at };
    parts = undefined;
    if (ids.length > 0) { for (const watcher of [...watchers]) watcher(ids); }
  }

  async function round(): Promise<void> {
    const start = performance.now();
    await refresh().catch(() => {});
    if (closed || watchers.size === 0) return void (timer = undefined);
    timer = setTimeout(round, Math.max(every, (performance.now() - start) * REST_TIMES));
  }

  return {
    async read(): Promise<Snapshot> {
      if (looking || !last || performance.now() - lookedAt >= fresh) await refresh();
      return last!;
    },
    get last() {
      return last;
    },
    part(id: string): Part | undefined {
      const sections = Object.values(last?.sections ?? {});
      parts ??= new Map(
        sections.flatMap((section) => [...allParts(section)]).map((part) => [part.id, part]),
      );
      return parts.get(id);
    },
    watch(watcher: Watcher) {
      watchers.add(watcher);
      if (timer === undefined) timer = setTimeout(round, every);
      return () => void watchers.delete(watcher);
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
