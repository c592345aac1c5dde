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
  /** Undefined: as many lists are watched as may be. */
  of(question: OverviewQuestion): Feed | undefined;
  close(): void;
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
/** Lists that differ in what was searched for, or in the page. */
const MAX_FEEDS = 32;

export function createFeeds(
  look: (question: OverviewQuestion) => Promise<Overview>,
  times: FeedTimes = TIMES,
): Feeds {
  const feeds = new Map<string, ReturnType<typeof createFeed>>();
  return {
    of(question) {
      const key = JSON.stringify([question.search, question.page]);
      const known = feeds.get(key);
      if (known) return known;
      if (feeds.size >= MAX_FEEDS) {
        const idle = feeds.entries().find(([, feed]) => !feed.watched);
        if (!idle) return undefined;
        feeds.delete(idle[0]);
      }
      const feed = createFeed(() => look(question), question, times);
      feeds.set(key, feed);
      return feed;
    },
    close() {
      for (const feed of feeds.values()) feed.close();
      feeds.clear();
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
    get watched() {
      return watchers.size > 0;
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
