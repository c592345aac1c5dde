/** The status page as it is answered: what it says, what it escapes, and what it lets a browser do. */
import { deepEqual, doesNotMatch, equal, match, ok } from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Overview, OverviewQuestion } from "../../lib/overview.ts";
import { AT, backend, openStatusRig, overview, server } from "./overview.ts";
import { bearer } from "./raw.ts";
import { FULL_TOKEN } from "./rig.ts";

const headers = bearer(FULL_TOKEN);

async function pageOf(changed: Partial<Overview>): Promise<string> {
  await using rig = await openStatusRig(() => overview(changed));
  return await (await fetch(rig.page, { headers })).text();
}

/** What a person reads: no head, no script, no markup. */
function wordsOf(page: string): string {
  const [, body] = /<body>([^]*)<script/.exec(page)!;
  const text = body.replaceAll(/<[^>]*>/g, " ").replaceAll("&#39;", "'");
  return text.replaceAll(/\s+/g, " ");
}

Deno.test("the page says how each domain is served: pool, servers, state, check, connections, weight", async () => {
  const servers = [
    server({ weight: 7 }),
    server({
      name: "pool_1_2",
      status: "DOWN",
      healthy: false,
      check: "L4CON",
      changed: 125,
      queued: 4,
    }),
    server({ name: "pool_1_3", status: "DRAIN", healthy: false, state: "drain" }),
  ];
  const list = [backend({ servers, standing: "degraded", domains: ["a.test"], domainCount: 1 })];
  const words = wordsOf(await pageOf({ backends: { list, count: 1, page: 1, pages: 1 } }));
  match(words, /a\.test pool_1 degraded 1 of 3 servers, 9 connections/);
  match(words, /pool_1_1 10\.0\.0\.1:80 UP L7OK\/200 3 7/);
  match(words, /pool_1_2 10\.0\.0\.1:80 DOWN for 2 min L4CON 3 \+ 4 queued 1/);
  match(words, /pool_1_3 10\.0\.0\.1:80 DRAIN/);
});

Deno.test("the page says what is wrong first, and that all is well only where it is", async () => {
  match(wordsOf(await pageOf({})), /All is well: 1 of 1 server takes requests\./);
  const troubled = {
    troubles: [{ backend: "pool_1", domain: "a.test", domains: 3, standing: "down" as const }],
    troubleCount: 1,
  };
  match(wordsOf(await pageOf(troubled)), /1 backend needs a look\. down a\.test and 2 more/);
  const differing = { known: true, differences: ["server pool_1_1"], count: 1, problems: [] };
  const words = wordsOf(await pageOf({ sync: differing as Overview["sync"] }));
  match(words, /Disk and HAProxy differ in 1 thing\.[^]*server pool_1_1/);
  const expired = {
    name: "a.test",
    issuer: "CN=R12",
    notAfter: "2026-11-20T00:00:00Z",
    days: -8,
    renewal: "",
    failure: "",
    problem: "",
  };
  const certificates = { list: [expired], count: 1 };
  match(wordsOf(await pageOf({ certificates })), /See to 1 certificate\.[^]*a\.test expired/);
  match(
    wordsOf(await pageOf({ filesProblem: "servers.json, line 3: x." })),
    /servers\.json, line 3/,
  );
});

Deno.test("while HAProxy is down the page says so, and shows what disk says", async () => {
  const servers = [server({ status: "", healthy: false, state: "drain", check: "" })];
  const words = wordsOf(
    await pageOf({
      haproxy: { address: "127.0.0.1:9999", problem: "HAProxy can't be reached." },
      backends: {
        list: [backend({ standing: "unseen", servers })],
        count: 1,
        page: 1,
        pages: 1,
      },
      healthy: undefined,
      sync: { known: false, why: "HAProxy can't be reached." },
    }),
  );
  match(words, /HAProxy does not answer\. HAProxy can't be reached\. Below is what the files say/);
  match(words, /a\.test pool_1 not seen[^]*pool_1_1 10\.0\.0\.1:80 drain on disk/);
});

Deno.test("the page shows certificates with days left, and the last changes with their results", async () => {
  const words = wordsOf(
    await pageOf({
      certificates: {
        list: [{
          name: "a.test",
          issuer: "CN=R12",
          notAfter: "2027-02-21T00:00:00Z",
          days: 85,
          renewal: "2027-01-22T00:00:00Z",
          failure: "",
          problem: "",
        }],
        count: 1,
      },
      changes: [{
        at: "2026-11-27T09:15:00.118Z",
        who: "MCP_TOKEN 1",
        tool: "haproxy_add_domain",
        args: "domain=a.test",
        code: "CONFLICT",
        message: "a.test exists.",
      }],
    }),
  );
  match(words, /a\.test 85 days 2027-02-21 2027-01-22 CN=R12/);
  match(
    words,
    /2026-11-27 09:15:00 MCP_TOKEN 1 add_domain domain=a\.test CONFLICT a\.test exists\./,
  );
});

Deno.test("whatever stands in a name, an address, a check, the audit log: it is text, and no markup", async () => {
  const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&`;
  const list = [backend({
    name: evil,
    domains: [evil, evil, evil],
    domainCount: 3,
    servers: [server({ name: evil, address: evil, status: evil, check: evil })],
  })];
  const page = await pageOf({
    haproxy: { address: evil, problem: evil },
    filesProblem: evil,
    troubles: [{ backend: evil, domain: evil, domains: 1, standing: "down" }],
    troubleCount: 1,
    backends: { list, count: 1, page: 1, pages: 2 },
    certificates: {
      list: [{
        name: evil,
        issuer: evil,
        notAfter: evil,
        days: null,
        renewal: "",
        failure: evil,
        problem: evil,
      }],
      count: 1,
      problem: evil,
    },
    sync: { known: true, differences: [evil], count: 1, problems: [evil] },
    changes: [{ at: evil, who: evil, tool: evil, args: evil, code: evil, message: evil }],
  });
  ok(page.includes("&lt;script&gt;alert(1)"));
  doesNotMatch(page, /<script>alert|<img/);
  equal([...page.matchAll(/<script/g)].length, 1);
});

Deno.test("what was searched for is text, too, and asked of the tools room as it is", async () => {
  const asked: OverviewQuestion[] = [];
  await using rig = await openStatusRig((question) => {
    asked.push(question);
    return overview({ backends: { list: [], count: 0, page: 1, pages: 1 } });
  });
  const search = `"><script>x`;
  const url = `${rig.page}?${new URLSearchParams({ q: search.toUpperCase(), page: "3" })}`;
  const page = await (await fetch(url, { headers })).text();
  deepEqual(asked, [{ search, page: 3 }]);
  doesNotMatch(page, /<script>x/);
  match(page, /value="&quot;&gt;&lt;script&gt;x"/);
});

Deno.test("without JavaScript the search is a plain form, and long lists have links to their pages", async () => {
  await using rig = await openStatusRig(({ page, search }) =>
    overview({ backends: { list: [backend()], count: 250, page, pages: search ? 2 : 3 } })
  );
  const ask = async (query: string) =>
    await (await fetch(`${rig.page}${query}`, { headers })).text();
  const first = await ask("");
  match(first, /<form id="search" role="search" method="get" action="\/">[^]*name="q"/);
  match(first, /250 backends, page 1 of 3\./);
  match(first, /<a href="\/\?page=2">Next page<\/a>/);
  doesNotMatch(first, /Previous page/);
  const second = await ask("?page=2");
  match(second, /<a href="\/\?page=1">Previous page[^]*<a href="\/\?page=3">Next page/);
  const found = await ask("?q=a.test&page=2");
  match(found, /250 backends found, page 2 of 2\.[^]*<a href="\/\?q=a\.test&amp;page=1">/);
  for (const odd of ["0", "-1", "x", "1e3", "99999999"]) {
    match(await ask(`?page=${odd}`), /page 1 of 3/, odd);
  }
});

Deno.test("the policy lets in one style and one script, which are the page's own, and nothing else", async () => {
  await using rig = await openStatusRig();
  const signedIn = await fetch(rig.page, { headers });
  const form = await fetch(rig.page);
  for (const answer of [signedIn, form]) {
    const policy = new Map(
      answer.headers.get("content-security-policy")!.split("; ").map((each) => {
        const [name, ...values] = each.split(" ");
        return [name, values.join(" ")];
      }),
    );
    const text = await answer.text();
    const inline = (element: string) => {
      const found = [...text.matchAll(new RegExp(`<${element}[^>]*>([^]*?)</${element}>`, "g"))];
      return found.map(([, code]) =>
        `'sha256-${createHash("sha256").update(code).digest("base64")}'`
      );
    };
    deepEqual(inline("style"), [policy.get("style-src")]);
    deepEqual(inline("script"), answer === form ? [] : [policy.get("script-src")]);
    policy.delete("style-src");
    policy.delete("script-src");
    deepEqual(Object.fromEntries(policy), {
      "default-src": "'none'",
      "connect-src": "'self'",
      "img-src": "data:",
      "form-action": "'self'",
      "base-uri": "'none'",
      "frame-ancestors": "'none'",
    });
    // What the policy would refuse, so that it does not come to that.
    doesNotMatch(text, /<[^>]*\s(on\w+|style)=/);
    doesNotMatch(text, /(src|href|action)="(https?:)?\/\//);
    equal(answer.headers.get("x-content-type-options"), "nosniff");
    equal(answer.headers.get("referrer-policy"), "same-origin");
    match(answer.headers.get("cache-control") ?? "", /no-store/);
  }
});

Deno.test("a tools room that does not answer is said, in a page and with 503", async () => {
  await using rig = await openStatusRig(() => Promise.reject(new Error("no")));
  const answer = await fetch(rig.page, { headers });
  equal(answer.status, 503);
  match(await answer.text(), /<p role="alert">The tools room does not answer\./);
});

Deno.test("the status page is counted by its route", async () => {
  await using rig = await openStatusRig();
  await (await fetch(rig.page, { headers })).body?.cancel();
  await (await fetch(rig.page)).body?.cancel();
  const text = await (await fetch(`${rig.page}metrics`, { headers })).text();
  match(text, /http_responses_total\{route="\/",status="200"\} 1/);
  match(text, /http_responses_total\{route="\/",status="401"\} 1/);
});

Deno.test("the page is of a time, and says which", async () => {
  match(wordsOf(await pageOf({ at: AT })), /As of 2026-11-27 09:15:02 UTC/);
});
