import { deepEqual, equal } from "node:assert/strict";
import { html } from "../../../lib/front/status/markup.ts";
import { allParts, changedParts, type Part, part } from "../../../lib/front/status/parts.ts";

const leaf = (id: string, text: string): Part => part(id, () => html`<li id="${id}">${text}</li>`);
const list = (title: string, ...items: Part[]): Part =>
  part("list", (children) => html`<ul id="list" title="${title}">${[...children]}</ul>`, items);

const ids = (before: Part, after: Part) => changedParts(before, after).map(({ id }) => id);

Deno.test("html: text and attributes are escaped, what a template made is not", () => {
  const inner = html`<b>${"a < b"}</b>`;
  equal(
    String(html`<p title="${`"'`}">${inner}${3}${["&", inner]}</p>`),
    `<p title="&quot;&#39;"><b>a &lt; b</b>3&amp;<b>a &lt; b</b></p>`,
  );
});

Deno.test("html: what the templates are indented by is left out, what the values are is not", () => {
  equal(
    String(html`<p>
    ${"two  blanks"}
  </p>`),
    "<p> two  blanks </p>",
  );
});

Deno.test("changedParts: nothing where nothing changed", () => {
  deepEqual(ids(list("t", leaf("a", "1")), list("t", leaf("a", "1"))), []);
});

Deno.test("changedParts: a child that changed is sent alone", () => {
  const before = list("t", leaf("a", "1"), leaf("b", "1"));
  deepEqual(ids(before, list("t", leaf("a", "1"), leaf("b", "2"))), ["b"]);
});

Deno.test("changedParts: what came, went, moved or stands around them is sent with its parent", () => {
  const before = list("t", leaf("a", "1"), leaf("b", "1"));
  deepEqual(ids(before, list("t", leaf("a", "1"))), ["list"]);
  deepEqual(ids(before, list("t", leaf("a", "1"), leaf("b", "1"), leaf("c", "1"))), ["list"]);
  deepEqual(ids(before, list("t", leaf("b", "1"), leaf("a", "1"))), ["list"]);
  deepEqual(ids(before, list("u", leaf("a", "1"), leaf("b", "2"))), ["list"]);
});

Deno.test("allParts: the root, and all below it", () => {
  const tree = list("t", leaf("a", "1"), leaf("b", "2"));
  deepEqual([...allParts(tree)].map(({ id }) => id), ["list", "a", "b"]);
});
