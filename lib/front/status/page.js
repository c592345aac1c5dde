/**
 * Keeps the page up to date, and finds while somebody types. Without it all works by reloading.
 *
 * The stream sends parts, `[id, html]`: each stands in the place of the element of its id.
 */
const page = document.getElementById("page");
const live = document.getElementById("live");
const form = document.getElementById("search");
const input = document.getElementById("q");

/** What is typed is asked for after so many milliseconds of rest. */
const REST_MS = 200;
/** A stream that was refused is tried again after it. */
const AGAIN_MS = 10_000;

let events;
let again;

const addressOf = (path, more = {}) => {
  const { search, page: number } = page.dataset;
  return `${path}?${new URLSearchParams({ q: search, page: number, ...more })}`;
};

function listen() {
  clearTimeout(again);
  events?.close();
  events = new EventSource(addressOf("/status/events", { since: page.dataset.revision }));
  events.onopen = () => show("Live", true);
  events.onmessage = ({ data, lastEventId }) => {
    page.dataset.revision = lastEventId;
    for (const [id, html] of JSON.parse(data)) replace(id, html);
  };
  events.onerror = () => {
    show("Not live: the connection is lost. It is tried again.", false);
    if (events.readyState === EventSource.CLOSED) refused();
  };
}

function show(text, isLive) {
  live.textContent = text;
  live.classList.toggle("bad", !isLive);
}

/** The token may be gone: then there is a form to be seen. */
async function refused() {
  again = setTimeout(listen, AGAIN_MS);
  const answer = await fetch("/", { method: "HEAD" }).catch(() => undefined);
  if (answer?.status === 401) location.reload();
}

function elementOf(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

/** What a person has opened, and where they are, stays. */
function replace(id, html) {
  const old = document.getElementById(id);
  if (!old) return;
  const fresh = elementOf(html);
  for (const details of [old, ...old.querySelectorAll("details")]) {
    if (details.localName !== "details") continue;
    const next = details.id === fresh.id
      ? fresh
      : fresh.querySelector(`#${CSS.escape(details.id)}`);
    if (next) next.open = details.open;
  }
  const focused = old.contains(document.activeElement) ? document.activeElement : undefined;
  const owner = focused?.closest("[id]")?.id;
  if (id === "summary") tell(old, fresh);
  old.replaceWith(fresh);
  if (!focused) return;
  const place = document.getElementById(owner) ?? fresh;
  (place.querySelector(focused.localName) ?? place).focus({ preventScroll: true });
}

function tell(old, fresh) {
  document.title = fresh.dataset.title;
  if (old.textContent !== fresh.textContent) say(fresh.textContent);
}

function say(text) {
  document.getElementById("say").textContent = text;
}

/** At once: what is on the page and does not bear it goes out of sight, until the answer comes. */
function sift(search) {
  for (const backend of document.querySelectorAll(".backend")) {
    backend.hidden = !backend.textContent.toLowerCase().includes(search);
  }
}

let resting;
let asking;

async function find(search) {
  asking?.abort();
  asking = new AbortController();
  page.dataset.search = search;
  page.dataset.page = "1";
  try {
    const address = search === "" ? "/" : `/?${new URLSearchParams({ q: search })}`;
    const answer = await fetch(address, { signal: asking.signal });
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = found.getElementById("list");
    if (!fresh) return location.reload();
    document.getElementById("list").replaceWith(fresh);
    // The revision stays that of all the other sections: the new stream sends them as they are now.
    history.replaceState(null, "", address);
    say(fresh.querySelector(".found").textContent);
    listen();
  } catch (cause) {
    if (cause.name !== "AbortError") show("The search had no answer.", false);
  }
}

input.addEventListener("input", () => {
  const search = input.value.trim().toLowerCase();
  sift(search);
  clearTimeout(resting);
  resting = setTimeout(() => find(search), REST_MS);
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(resting);
  find(input.value.trim().toLowerCase());
});

document.title = document.getElementById("summary").dataset.title;
// Who goes back to a page that the browser has kept gets a new stream with it.
addEventListener("pageshow", ({ persisted }) => persisted && listen());
addEventListener("pagehide", () => events.close());
listen();
