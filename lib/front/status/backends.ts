/** The page's list: domains, the backend to which they lead, its servers. */
import type { BackendPage, BackendView, OverviewQuestion, ServerView } from "../../overview.ts";
import { type Html, html } from "./markup.ts";
import { type Part, part } from "./parts.ts";
import { counted, length, number, STANDINGS, type Tone, toned } from "./words.ts";

/** So few need not be opened one by one. */
const OPEN = 5;
/** The others stand within. */
const IN_HEAD = 2;

export function listPart(page: BackendPage, { search }: OverviewQuestion): Part {
  const isOpen = page.list.length <= OPEN;
  return part(
    "list",
    (backends) =>
      html`<div id="list">
<p class="found">${foundIn(page, search)}</p>
${backends}
${page.pages > 1 ? pagesOf(page, search) : ""}
</div>`,
    page.list.map((backend) => backendPart(backend, isOpen)),
  );
}

function foundIn({ count, page, pages }: BackendPage, search: string): string {
  const which = pages > 1 ? `, page ${page} of ${pages}` : "";
  if (search !== "") {
    return count === 0
      ? `Nothing bears “${search}” in its name or address.`
      : `${counted(count, "backend")} found${which}.`;
  }
  return count === 0 ? "No domains and no servers yet." : `${counted(count, "backend")}${which}.`;
}

function pagesOf({ page, pages }: BackendPage, search: string): Html {
  const link = (to: number, words: string) => {
    const query = new URLSearchParams({ ...(search && { q: search }), page: String(to) });
    return html`<a href="/?${query.toString()}">${words}</a>`;
  };
  return html`<nav aria-label="Pages">${page > 1 ? link(page - 1, "Previous page") : ""} ${
    page < pages ? link(page + 1, "Next page") : ""
  }</nav>`;
}

function backendPart(backend: BackendView, isOpen: boolean): Part {
  const { name, servers } = backend;
  const id = `b-${name}`;
  return part(id, ([head, ...rows]) =>
    html`
      <details id="${id}" class="backend" ${isOpen ? " open" : ""}>
      <summary>${head}</summary>
      ${domainsOf(backend)}
      ${servers.length > 0 ? table(name, rows) : html`<p>It has no servers.</p>`}
      </details>
    `, [headPart(backend), ...servers.map((server) => serverPart(name, server))]);
}

function headPart(backend: BackendView): Part {
  const { name, domains, domainCount, standing, healthy, servers } = backend;
  const [tone, words] = STANDINGS[standing];
  const id = `h-${name}`;
  const shown = domains.slice(0, IN_HEAD);
  const more = domainCount - shown.length;
  const connections = servers.reduce((sum, server) => sum + server.connections, 0);
  const counts = standing === "unseen"
    ? counted(servers.length, "server")
    : `${healthy} of ${counted(servers.length, "server")}, ${counted(connections, "connection")}`;
  const figures = servers.length === 0 ? "" : counts;
  const names = shown.length === 0 ? name : shown.join(", ");
  const others = more > 0 ? ` and ${number(more)} more` : "";
  const pool = shown.length === 0 ? "no domain" : name;
  return part(id, () =>
    html`
      <span id="${id}" class="head"><span class="names"><b>${names}</b>${others}</span>
        <span class="pool">${pool}</span> ${toned(tone, words)}
        <span class="figures">${figures}</span></span>
    `);
}

function domainsOf({ domains, domainCount }: BackendView): Html | string {
  if (domainCount <= IN_HEAD) return "";
  const more = domainCount - domains.length;
  return html`<p class="domains">${domains.join(", ")}${
    more > 0 ? ` and ${number(more)} more, which the search finds` : ""
  }.</p>`;
}

const table = (backend: string, rows: readonly Html[]): Html =>
  html`
    <table class="servers">
      <caption class="hidden">Servers of ${backend}</caption>
      <thead>
        <tr>
          <th scope="col">Server</th>
          <th scope="col">Address</th>
          <th scope="col">State</th>
          <th scope="col">Check</th>
          <th scope="col" class="figure">Conns</th>
          <th scope="col" class="figure">Weight</th>
        </tr>
      </thead>
      <tbody>
    ${rows}
      </tbody>
    </table>
  `;

function serverPart(backend: string, server: ServerView): Part {
  const { name, address, check, connections, queued, weight } = server;
  const id = `s-${backend}/${name}`;
  const waiting = queued > 0 ? ` + ${number(queued)} queued` : "";
  return part(id, () =>
    html`
      <tr id="${id}">
        <th scope="row">${name}</th>
        <td>${address}</td>
        <td>${stateOf(server)}</td>
        <td>${check || "–"}</td>
        <td class="figure">${number(connections)}${waiting}</td>
        <td class="figure">${weight}</td>
      </tr>
    `);
}

function stateOf({ status, state, healthy, changed }: ServerView): Html {
  if (status === "") return toned("idle", state === undefined ? "not seen" : `${state} on disk`);
  // HAProxy counts from the last UP or DOWN: of a drain, or of maint, it does not say since when.
  const isDown = status.startsWith("DOWN") && changed !== undefined;
  const since = isDown ? ` for ${length(changed)}` : "";
  return toned(toneOf(status, healthy), `${status}${since}`);
}

function toneOf(status: string, healthy: boolean): Tone {
  if (healthy) return /^UP \d/.test(status) ? "warn" : "good";
  return /^(MAINT|DRAIN)|^(UP|no check)/.test(status) ? "idle" : "bad";
}
