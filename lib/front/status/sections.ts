/** The sections below the list: certificates, sync, the last changes. */
import type { CertificateView, ChangeView, Overview, SyncView } from "../../overview.ts";
import { type Html, html } from "./markup.ts";
import { type Part, part } from "./parts.ts";
import { counted, day, number, time, type Tone, toned } from "./words.ts";

/** A certificate that nobody renews is worth a thought so many days before. */
const SOON_DAYS = 30;

export function certificatesPart({ certificates, at }: Overview): Part {
  const { list, count, problem } = certificates;
  const rest = count - list.length;
  const table = html`
    <table class="certificates">
      <caption class="hidden">Certificates, the first to end first</caption>
      <thead>
        <tr>
          <th scope="col">Certificate</th>
          <th scope="col">Left</th>
          <th scope="col" class="wide">Until</th>
          <th scope="col">Renewal</th>
          <th scope="col" class="wide">Issuer</th>
        </tr>
      </thead>
      <tbody>
        ${list.map((each) => certificateRow(each, at))}
      </tbody>
    </table>
  `;
  return part("certificates", () =>
    html`
      <div id="certificates">
        ${problem === undefined ? "" : html`<p>${toned("bad", problem)}</p>`}
        ${list.length > 0 ? table : html`<p>None is served.</p>`}
        ${rest > 0 ? html`<p>and ${number(rest)} more, which end later.</p>` : ""}
      </div>
    `);
}

function certificateRow(each: CertificateView, at: number): Html {
  const { name, issuer, notAfter, days, renewal, failure, problem } = each;
  const left = days === null
    ? problem || "can't be read"
    : days < 0
    ? "expired"
    : counted(days, "day");
  return html`
    <tr>
      <th scope="row">${name}</th>
      <td>${toned(toneOfCertificate(each, at), left)}</td>
      <td class="wide">${notAfter === "" ? "–" : day(notAfter)}</td>
      <td>${renewal === "" ? "by nobody" : day(renewal)} ${note(failure)}</td>
      <td class="wide">${issuer || "–"}</td>
    </tr>
  `;
}

export function toneOfCertificate(
  { days, renewal, failure }: CertificateView,
  at: number,
): Tone {
  if (days === null || days < 0) return "bad";
  const isLate = renewal === "" ? days < SOON_DAYS : Date.parse(renewal) < at;
  return isLate || failure !== "" ? "warn" : "good";
}

const note = (text: string) => text === "" ? "" : html`<span class="note">${text}</span>`;

export function syncPart({ sync }: Overview): Part {
  return part("sync", () => html`<div id="sync">${inFull(sync)}</div>`);
}

function inFull(sync: SyncView): Html {
  if (!sync.known) return html`<p>${toned("idle", "Not known.")} ${sync.why}</p>`;
  const { differences, count, problems } = sync;
  const all = count + problems.length;
  if (all === 0) return html`<p>${toned("good", "HAProxy holds what the files say.")}</p>`;
  const rest = count - differences.length;
  return html`
    <p>
      ${toned("warn", `Disk and HAProxy differ in ${counted(all, "thing")}.`)}
      <code>haproxy_restore_state</code> brings HAProxy to what the files say.
    </p>
    <ul>
      ${[...differences, ...problems].map((each) => html`<li>${each}</li>`)}
      ${rest > 0 ? html`<li>and ${number(rest)} more</li>` : ""}
    </ul>
  `;
}

export function changesPart({ changes }: Overview): Part {
  const table = html`
    <table class="changes">
      <caption class="hidden">Calls of tools that change something, the newest first</caption>
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Who</th>
          <th scope="col">What</th>
          <th scope="col">Result</th>
        </tr>
      </thead>
      <tbody>
        ${changes.map(changeRow)}
      </tbody>
    </table>
  `;
  const none = html`<p>Nobody has changed anything yet.</p>`;
  return part(
    "changes",
    () => html`<div id="changes">${changes.length > 0 ? table : none}</div>`,
  );
}

function changeRow({ at, who, tool, args, code, message }: ChangeView): Html {
  const when = Number.isNaN(Date.parse(at)) ? at : time(at);
  const isDone = code === "OK";
  return html`
    <tr>
      <td>${when}</td>
      <td>${who}</td>
      <td><b>${tool.replace(/^haproxy_/, "")}</b> ${args}</td>
      <td>${toned(isDone ? "good" : "warn", code)} ${note(isDone ? "" : message)}</td>
    </tr>
  `;
}
