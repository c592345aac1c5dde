/** What the status page's routes answer, behind the guards: the page, its stream, signing in and out. */
import { deleteCookie, setCookie } from "hono/cookie";
import project from "../../../deno.json" with { type: "json" };
import type { Overview, OverviewQuestion } from "../../overview.ts";
import { AgentError } from "../../errors.ts";
import { log } from "../../log.ts";
import { isKeyOfToken } from "../access/judge.ts";
import { cookieOf, PAGE_COOKIE, PAGE_COOKIE_S } from "../access/page_cookie.ts";
import { watchEnd } from "../coalesce.ts";
import type { RequestContext } from "../env.ts";
import type { Lasting } from "../lasting.ts";
import { busy } from "../mcp/rpc_error.ts";
import type { Share } from "../share.ts";
import { answerPage, messagePage, PAGE_HEADERS, signInPage } from "./documents.ts";
import { createFeeds, type Feed, type FeedTimes, type HeldFeed } from "./feeds.ts";
import { statusPage } from "./page.ts";
import { streamOf } from "./stream.ts";

export interface StatusOptions {
  readonly look: (question: OverviewQuestion) => Promise<Overview>;
  readonly lasting: Lasting;
  readonly share: Share;
  readonly times?: FeedTimes;
}

export interface Status {
  page(c: RequestContext): Promise<Response>;
  events(c: RequestContext): Promise<Response>;
  /** A browser whose token was right. */
  signIn(c: RequestContext): Response;
  signOut(c: RequestContext): Response;
  /** No more looks. */
  close(): void;
}

/** No name is longer (RFC 1035). */
const MAX_SEARCH = 253;

export function createStatus({ look, lasting, share, times }: StatusOptions): Status {
  const feeds = createFeeds(look, times);

  async function stream(c: RequestContext, { feed, release: leave }: HeldFeed): Promise<Response> {
    const { principal } = c.var;
    const release = share.take(principal.key);
    const lasts = release && lasting.open(principal, c.env.gone);
    const end = () => {
      lasts?.close();
      release?.();
      leave();
    };
    if (!release) {
      end();
      return busy("Too many requests of this caller have no answer yet.");
    }
    if (!lasts) {
      end();
      return busy("All streams are in use.");
    }
    if (!await read(feed)) {
      end();
      return busy(SILENT);
    }
    // A browser that comes back says by itself what it had last.
    const since = c.req.header("last-event-id") ?? c.req.query("since") ?? "";
    const body = streamOf(feed, since);
    const headers = { ...PAGE_HEADERS, "Content-Type": "text/event-stream" };
    return watchEnd(new Response(body, { headers }), lasts.signal, end);
  }

  return {
    async page(c) {
      const question = questionIn(c);
      const snapshot = await read(feeds.of(question));
      if (!snapshot) return answerPage(c, messagePage(SILENT), 503);
      const signedIn = c.var.signedInBy === "cookie";
      const { version } = project;
      return answerPage(c, statusPage({ ...snapshot, question, signedIn, version }));
    },

    async events(c) {
      // Hono asks for GET, and drops the body unread: the stream would never end.
      if (c.req.method === "HEAD") return c.body(null, 200, PAGE_HEADERS);
      const held = feeds.hold(questionIn(c), c.var.principal.key);
      return held ? await stream(c, held) : busy("Too many searches are watched at once.");
    },

    signIn(c) {
      const { key, oauth } = c.var.principal;
      if (oauth) {
        const why = "Such a token signs in no browser: only one of the token file does.";
        return answerPage(c, signInPage(why), 401);
      }
      // In a trusted network none is needed.
      if (isKeyOfToken(key)) setCookie(c, PAGE_COOKIE, cookieOf(key), cookieOptions(c));
      return c.redirect("/", 303);
    },

    signOut(c) {
      deleteCookie(c, PAGE_COOKIE);
      return c.redirect("/", 303);
    },

    close: feeds.close,
  };
}

const SILENT = "The tools room does not answer. The agent's log says more.";

const read = (feed: Feed) =>
  feed.read().catch((cause) => {
    log.warning(`The status page can't be shown: ${AgentError.from(cause).message}`);
  });

/** The browser's own word for where it is: only a proxy before us knows TLS, and its headers are not believed. */
function cookieOptions(c: RequestContext) {
  return {
    path: "/",
    httpOnly: true,
    sameSite: "Strict",
    maxAge: PAGE_COOKIE_S,
    secure: c.req.header("origin")?.startsWith("https:") ?? false,
  } as const;
}

function questionIn(c: RequestContext): OverviewQuestion {
  const search = (c.req.query("q") ?? "").trim().toLowerCase().slice(0, MAX_SEARCH);
  const page = c.req.query("page") ?? "";
  return { search, page: /^[1-9]\d{0,5}$/.test(page) ? Number(page) : 1 };
}
