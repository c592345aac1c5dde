/** The status page: its sections, and the document around them. */
import type { Overview, OverviewQuestion } from "../../overview.ts";
import { listPart } from "./backends.ts";
import { documentOf } from "./documents.ts";
import { asItIs, type Html, html } from "./markup.ts";
import type { Part } from "./parts.ts";
import { trafficPart } from "./plots.ts";
import { certificatesPart, changesPart, syncPart } from "./sections.ts";
import { summaryPart, tilesPart, troublesPart } from "./state.ts";
import { time } from "./words.ts";

export const SECTIONS = [
  "summary",
  "tiles",
  "troubles",
  "traffic",
  "list",
  "certificates",
  "sync",
  "changes",
] as const;
export type Sections = Readonly<Record<typeof SECTIONS[number], Part>>;

/** @param problem why the overview is not of this moment; empty: it is */
export function sectionsOf(overview: Overview, question: OverviewQuestion, problem = ""): Sections {
  return {
    summary: summaryPart(overview, problem),
    tiles: tilesPart(overview),
    troubles: troublesPart(overview),
    traffic: trafficPart(overview.traffic, overview.at),
    list: listPart(overview.backends, question),
    certificates: certificatesPart(overview),
    sync: syncPart(overview),
    changes: changesPart(overview),
  };
}

export interface PageOptions {
  readonly sections: Sections;
  readonly question: OverviewQuestion;
  /** Of the sections: the stream goes on from here. */
  readonly revision: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** By the cookie: there is something to sign out of. */
  readonly signedIn: boolean;
  readonly version: string;
}

export function statusPage(options: PageOptions): string {
  const { sections, question: { search, page }, revision, at, signedIn, version } = options;
  const put = (name: keyof Sections) => asItIs(sections[name].html);
  const signOut = html`
    <form method="post" action="/status/sign-out"><button>Sign out</button></form>
  `;
  const section = (name: keyof Sections, title: string) =>
    html`
      <section aria-labelledby="${name}-title">
        <h2 id="${name}-title">${title}</h2>
        ${put(name)}
      </section>
    `;
  return documentOf(
    html`
      <a class="skip" href="#backends">Skip to the domains</a>
      <header>
        <h1>haproxy-mcp</h1>
        <p class="live" id="live">As of ${time(at)} UTC. Reload to see what is new.</p>
        ${signedIn ? signOut : ""}
      </header>
      <main id="page" data-search="${search}" data-page="${page}" data-revision="${revision}">
        <p class="hidden" id="say" role="status"></p>
        <div class="state">${put("summary")} ${put("troubles")}</div>
        ${put("tiles")} ${section("traffic", "Traffic")}
        <section aria-labelledby="backends">
          <h2 id="backends" tabindex="-1">Domains</h2>
          ${searchForm(search)} ${put("list")}
        </section>
        ${section("certificates", "Certificates")} ${section("sync", "Sync")}
        ${section("changes", "Last changes")}
      </main>
      <footer>
        <p>
          haproxy-mcp ${version}. Times are UTC. This page only shows; changes are made by MCP and
          by the shell.
        </p>
      </footer>
    `,
    true,
  );
}

const searchForm = (search: string): Html =>
  html`
    <form id="search" role="search" method="get" action="/">
      <label for="q">Domain, pool, server or address</label>
      <input type="search" id="q" name="q" value="${search}" maxlength="253" autocomplete="off"
        autocapitalize="off" spellcheck="false">
      <button>Search</button>
      ${search === "" ? "" : html`<a href="/">Show all</a>`}
    </form>
  `;
