/** What a browser is answered: whole documents, under a policy that lets them run and load nothing but their own. */
import { createHash } from "node:crypto";
import type { RequestContext } from "../env.ts";
import { HAPROXY_ICON } from "../mcp/icons.ts";
import { asItIs, type Html, html } from "./markup.ts";
import base from "./base.css" with { type: "text" };
import narrow from "./narrow.css" with { type: "text" };
import sections from "./sections.css" with { type: "text" };
import script from "./page.js" with { type: "text" };

const style = base + sections + narrow;

const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** One style and one script, known by their hashes: should a name ever get into the page as markup, it would do nothing. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  "img-src data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

export const PAGE_HEADERS = {
  "Content-Security-Policy": CONTENT_SECURITY_POLICY,
  "Cross-Origin-Resource-Policy": "same-origin",
  // With no-referrer a browser would call the form's origin "null", which is refused.
  "Referrer-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
} as const;

export const answerPage = (
  c: RequestContext,
  page: string,
  status: 200 | 400 | 401 | 403 | 404 | 405 | 408 | 413 | 429 | 503 = 200,
): Response => c.html(page, status, PAGE_HEADERS) as Response;

/** @param live with the script */
export function documentOf(body: Html, live = false): string {
  return String(html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <title>haproxy-mcp</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="robots" content="noindex">
        <link rel="icon" href="${HAPROXY_ICON.src}">
        <style>${asItIs(style)}</style>
      </head>
      <body>
    ${body}${live ? html`\n<script type="module">${asItIs(script)}</script>` : ""}
      </body>
    </html>
  `);
}

/** @param why what was wrong; empty: nobody has tried yet */
export function signInPage(why: string): string {
  return documentOf(html`<main class="lone">
<h1>haproxy-mcp</h1>
${why === "" ? "" : html`<p role="alert">${why}</p>`}
<form method="post" action="/">
<label for="token">Token</label>
<input type="password" id="token" name="token" required autofocus autocomplete="current-password" aria-describedby="where">
<p id="where">One of the token file, <code>conf/mcp-token.env</code>; one that only reads will do.</p>
<button>Sign in</button>
</form>
<p>Signed in, and here by a link from elsewhere? <a href="/">Open the status page</a>.</p>
</main>`);
}

export function messagePage(message: string): string {
  return documentOf(html`
    <main class="lone">
      <h1>haproxy-mcp</h1>
      <p role="alert">${message}</p>
      <p><a href="/">Try again</a></p>
    </main>
  `);
}
