/** The top of the page: whether all is well, what needs a look, and the figures. */
import type { Overview, SyncView, Trouble } from "../../overview.ts";
import { toneOfCertificate } from "./sections.ts";
import { type Html, html } from "./markup.ts";
import { type Part, part } from "./parts.ts";
import { counted, number, STANDINGS, time, type Tone, toned } from "./words.ts";

type Worry = readonly [tone: Tone, words: string];

/** @param problem why what follows is not of this moment; empty: it is */
export function summaryPart(overview: Overview, problem: string): Part {
  const worries = problem === "" ? worriesOf(overview) : [["bad", problem] as const];
  const words = worries.map(([, words]) => words).join(" ");
  const title = words === "" ? "" : `${words.replace(/\. .*|\.$/s, "")} – `;
  const said = words === "" ? toned("good", wellOf(overview)) : toned(worries[0][0], words);
  return part(
    "summary",
    () => html`<p id="summary" class="summary" data-title="${title}haproxy-mcp">${said}</p>`,
  );
}

/** The worst comes first. */
function worriesOf(overview: Overview): Worry[] {
  const { haproxy, filesProblem, troubles, troubleCount, certificates, sync, at } = overview;
  const isDown = troubles.some(({ standing }) => standing !== "degraded");
  const need = troubleCount === 1 ? "needs" : "need";
  const late = certificates.list.filter((each) => toneOfCertificate(each, at) !== "good").length;
  const differ = differencesIn(sync);
  const worries: (Worry | false)[] = [
    haproxy.problem !== undefined &&
    ["bad", `HAProxy does not answer. ${haproxy.problem} Below is what the files say.`],
    filesProblem !== undefined &&
    ["bad", `The files can't be read. ${filesProblem} Below is what HAProxy runs.`],
    troubleCount > 0 &&
    [isDown ? "bad" : "warn", `${counted(troubleCount, "backend")} ${need} a look.`],
    differ > 0 && ["warn", `Disk and HAProxy differ in ${counted(differ, "thing")}.`],
    certificates.problem !== undefined && ["warn", certificates.problem],
    late > 0 && ["warn", `See to ${counted(late, "certificate")}.`],
  ];
  return worries.filter((worry) => worry !== false);
}

const differencesIn = (sync: SyncView) => sync.known ? sync.count + sync.problems.length : 0;

function wellOf({ servers, healthy = 0, domains }: Overview): string {
  if (domains === 0 && servers === 0) return "HAProxy answers. It has no domains yet.";
  const take = servers === 1 ? "takes" : "take";
  const others = healthy < servers ? "; the others are switched off" : "";
  return `All is well: ${number(healthy)} of ${
    counted(servers, "server")
  } ${take} requests${others}.`;
}

export function troublesPart({ troubles, troubleCount }: Overview): Part {
  const rest = troubleCount - troubles.length;
  const list = html`
    <ul class="troubles">
      ${troubles.map(troubleLine)} ${rest > 0 ? html`<li>and ${number(rest)} more</li>` : ""}
    </ul>
  `;
  return part(
    "troubles",
    () => html`<div id="troubles">${troubles.length > 0 ? list : ""}</div>`,
  );
}

function troubleLine({ backend, domain, domains, standing }: Trouble): Html {
  const name = domain || backend;
  const query = new URLSearchParams({ q: name }).toString();
  const others = domains > 1 ? ` and ${number(domains - 1)} more` : "";
  const place = domain === "" ? "" : ` (${backend})`;
  return html`
    <li>${toned(...STANDINGS[standing])} <a href="/?${query}">${name}</a>${others}${place}</li>
  `;
}

type Tile = readonly [name: string, value: string | Html, more: string | Html];

export function tilesPart(overview: Overview): Part {
  const tiles = tilesOf(overview).map(([name, value, more]) =>
    html`
      <div>
        <dt>${name}</dt>
        <dd><b>${value}</b> <span>${more}</span></dd>
      </div>
    `
  );
  return part("tiles", () => html`<dl id="tiles" class="tiles">${tiles}</dl>`);
}

function tilesOf({ haproxy, domains, servers, healthy, sync, certificates }: Overview): Tile[] {
  const { process, address } = haproxy;
  const [first] = certificates.list;
  return [
    process
      ? [
        "HAProxy",
        process.version,
        html`process ${process.pid}, since ${time(process.startedAt)}`,
      ]
      : ["HAProxy", toned("bad", "no answer"), address],
    process
      ? ["Connections", number(process.connections), `of ${number(process.connectionLimit)}`]
      : ["Connections", "–", "not known"],
    ["Domains", number(domains), "routed, wildcards too"],
    healthy === undefined
      ? ["Servers", number(servers), "configured"]
      : ["Servers", `${number(healthy)} of ${number(servers)}`, "take requests"],
    ["Sync", syncInShort(sync), "disk and HAProxy"],
    first === undefined || first.days === null
      ? ["Certificates", number(certificates.count), first?.problem ?? "none is served"]
      : ["Certificates", counted(first.days, "day"), `${first.name} ends first`],
  ];
}

function syncInShort(sync: SyncView): Html {
  if (!sync.known) return toned("idle", "not known");
  const count = differencesIn(sync);
  return count === 0 ? toned("good", "agree") : toned("warn", counted(count, "difference"));
}
