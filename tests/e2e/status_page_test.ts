/** The status page of the compiled executable beside a real HAProxy, in a headless Chromium, as people use it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { findBarriers } from "../support/axe.ts";
import { startBackend } from "../support/backend.ts";
import { type Browser, type Page, type PageOptions, startBrowser } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { get, openSite, type Site } from "./site.ts";

/** Where the pictures go, for the documents; made anew by each run. */
const PICTURES = new URL("../../dist/screenshots/", import.meta.url).pathname;

const PHONE = { width: 375, height: 800, phone: true } as const;

const addressOf = ({ agent }: Site) => agent.url.replace("/mcp", "/");

/** By the form, with the keyboard, as anybody does. */
async function signedIn(
  site: Site,
  browser: Browser,
  options?: PageOptions,
  address = addressOf(site),
): Promise<Page> {
  const page = await browser.open(address, options);
  await page.until(`document.activeElement.id === "token"`);
  await page.type(site.agent.token);
  await page.press("Enter");
  await page.until(`document.getElementById("page") !== null`);
  return page;
}

const isLive = `document.getElementById("live").textContent === "Live"`;
const textOf = (selector: string) =>
  `document.querySelector(${JSON.stringify(selector)}).textContent`;

/** Four domains, of which one is down and one has a server in drain, and some traffic. */
async function openBusySite(): Promise<Site> {
  await using starting = new AsyncDisposableStack();
  const site = starting.use(await openSite({ pools: 6 }));
  const [one, two] = ["one", "two"].map((name) => starting.use(startBackend(name)));
  const { http, haproxy } = site;
  for (const domain of ["shop.example", "api.example", "blog.example"]) {
    await http.call("add_domain", { domain, ip: "127.0.0.1", http_port: one.port });
    await http.call("add_server", { domain, ip: "127.0.0.1", http_port: two.port, weight: 2 });
  }
  await http.call("add_domain", { domain: "www.shop.example", share_with: "shop.example" });
  await http.call("set_server_state", { domain: "blog.example", slot: 2, state: "drain" });
  await http.call("add_domain", { domain: "old.example", ip: "127.0.0.1", http_port: 1 });
  await eventually(async () => (await get(haproxy, "shop.example")).status === 200);
  for (let i = 0; i < 50; i++) {
    await get(haproxy, "shop.example", i % 10 ? "/" : "/status?code=500");
  }
  const all = starting.move();
  return { ...site, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

Deno.test("status page: it loads, asks nobody else for anything, and the browser has no complaint", async () => {
  await using site = await openBusySite();
  await using browser = await startBrowser();
  const page = await signedIn(site, browser);
  await page.until(isLive);
  const { origin } = new URL(addressOf(site));
  for (const url of page.requests) {
    assert.ok(url.startsWith(origin) || url.startsWith("data:"), url);
  }
  // The answer to the first request, by which the form came.
  const [form, ...others] = page.complaints;
  assert.match(form, /401 \(Unauthorized\)/);
  assert.deepEqual(others, []);
  for (const name of ["api.example", "blog.example", "shop.example, www.shop.example"]) {
    assert.ok((await page.eval<string>(textOf("#list"))).includes(name), name);
  }
  // HAProxy's checks find it out a moment after its start.
  await page.until(`document.title === "1 backend needs a look – haproxy-mcp"`);
});

Deno.test("status page: it follows what happens without being loaded again, and what was opened stays open", async () => {
  await using site = await openBusySite();
  await using browser = await startBrowser();
  const page = await signedIn(site, browser);
  await page.until(isLive);
  const { loads } = page;
  const pool = await page.eval<string>(
    `[...document.querySelectorAll(".backend")].find((each) => each.textContent.includes("api.example")).id`,
  );
  await page.eval(`document.getElementById("${pool}").open = true`);
  await page.eval(`document.querySelector("#${pool} summary").focus()`);
  const row = `[...document.querySelectorAll("#${pool} tbody tr")][0].textContent`;
  assert.match(await page.eval(row), /UP/);

  await site.http.call("set_server_state", { domain: "api.example", slot: 1, state: "drain" });
  await page.until(`/DRAIN/.test(${row})`);
  assert.match(await page.eval(textOf("#changes")), /set_server_state/);

  await site.http.call("add_domain", { domain: "new.example", ip: "127.0.0.1", http_port: 1 });
  await page.until(`${textOf("#list")}.includes("new.example")`);
  assert.equal(await page.eval(`document.getElementById("${pool}").open`), true);
  assert.equal(await page.eval(`document.activeElement.parentElement.id`), pool);

  await site.haproxy.kill9();
  await page.until(`/HAProxy does not answer/.test(${textOf("#summary")})`);
  assert.match(await page.eval(textOf("#say")), /HAProxy does not answer/);
  assert.match(await page.eval(row), /drain on disk/);
  await site.haproxy.start();
  await page.until(`!/HAProxy does not answer/.test(${textOf("#summary")})`);
  assert.equal(page.loads, loads);
  assert.deepEqual(page.complaints.slice(1), []);
});

Deno.test("status page: behind HAProxy, by TLS and HTTP/2, it is signed in to and follows what happens", async () => {
  const host = "mcp.localhost";
  const port = freePort();
  await using site = await openSite({
    mcp: { host, address: "127.0.0.1", port },
    env: { MCP_PORT: String(port), MCP_ALLOWED_HOSTS: `${host},127.0.0.1` },
  });
  await site.http.call("add_domain", { domain: "a.example", ip: "127.0.0.1", http_port: 1 });
  await using browser = await startBrowser();
  const address = `https://${host}:${site.haproxy.options.httpsPort}/`;
  const page = await signedIn(site, browser, { insecure: true }, address);
  await page.until(isLive);
  const protocol = `performance.getEntriesByType("navigation")[0].nextHopProtocol`;
  assert.equal(await page.eval(protocol), "h2");
  assert.equal(await page.eval("document.cookie"), "");
  await site.http.call("set_server_state", {
    domain: "a.example",
    slot: 1,
    state: "maint",
    force: true,
  });
  await page.until(`/MAINT/.test(${textOf("#list")})`);
  await page.goto(address);
  await page.until(isLive);
  assert.deepEqual(page.complaints.slice(1), []);
});

Deno.test("status page: what passes through HAProxy is drawn", async () => {
  await using site = await openBusySite();
  await using browser = await startBrowser();
  const page = await signedIn(site, browser);
  const points = `document.querySelector("#traffic .line")?.getAttribute("d").split(" ").length`;
  await page.until(`(${points} ?? 0) > 2`);
  await get(site.haproxy, "shop.example");
  const before = await page.eval<number>(points);
  await page.until(`${points} > ${before}`);
});

Deno.test("status page: axe finds no barrier that is serious or critical, in light, dark, on a phone, or at the form", async () => {
  await using site = await openBusySite();
  await using browser = await startBrowser();
  const grave = async (page: Page) =>
    (await findBarriers(page)).filter(({ impact }) => /serious|critical/.test(impact));
  assert.deepEqual(await grave(await browser.open(addressOf(site))), []);
  for (const options of [{}, { dark: true }, PHONE]) {
    const page = await signedIn(site, browser, options);
    await page.until(isLive);
    await page.eval(`for (const each of document.querySelectorAll("details")) each.open = true`);
    assert.deepEqual(await grave(page), [], JSON.stringify(options));
  }
});

Deno.test("status page: the keyboard reaches the search, which finds while one types", async () => {
  await using site = await openBusySite();
  await using browser = await startBrowser();
  const page = await signedIn(site, browser);
  await page.until(isLive);
  const { loads } = page;
  const focused = "document.activeElement.id || document.activeElement.className";
  const isSeen = "getComputedStyle(document.activeElement).outlineStyle !== 'none'";
  const reached: unknown[] = [];
  for (let i = 0; i < 20 && reached.at(-1) !== "q"; i++) {
    await page.press("Tab");
    reached.push(await page.eval(focused));
    assert.ok(await page.eval(isSeen), `the focus on ${reached.at(-1)} can be seen`);
  }
  assert.equal(reached[0], "skip");
  assert.equal(reached.at(-1), "q");
  await page.type("blog");
  await page.until(`document.querySelectorAll(".backend").length === 1`);
  assert.match(await page.eval(textOf("#list")), /blog\.example/);
  assert.match(await page.eval(textOf("#say")), /1 backend found/);
  assert.equal(await page.eval("location.search"), "?q=blog");
  assert.equal(await page.eval("document.activeElement.id"), "q");
  // What is found is live, too.
  await site.http.call("set_server_state", { domain: "blog.example", slot: 2, state: "ready" });
  await page.until(`!/DRAIN/.test(${textOf("#list")})`);
  await page.press("Enter");
  await page.until(isLive);
  assert.equal(page.loads, loads);
});

Deno.test("status page: the skip link leads to the domains", async () => {
  await using site = await openBusySite();
  await using browser = await startBrowser();
  const page = await signedIn(site, browser);
  await page.until(isLive);
  await page.press("Tab");
  await page.press("Enter");
  await page.until(`document.activeElement.id === "backends"`);
  await page.press("Tab");
  assert.equal(await page.eval("document.activeElement.id"), "q");
});

Deno.test("status page: without JavaScript it shows, searches and signs out", async () => {
  await using site = await openBusySite();
  await using browser = await startBrowser();
  const page = await signedIn(site, browser, { script: false });
  assert.match(await page.eval(textOf("#live")), /^As of .* UTC\. Reload/);
  await page.eval(`document.getElementById("q").focus()`);
  await page.type("api");
  await page.press("Enter");
  await page.until(`location.search === "?q=api" && document.getElementById("list") !== null`);
  assert.deepEqual(
    await page.eval(`[...document.querySelectorAll(".names")].map((each) => each.textContent)`),
    ["api.example"],
  );
  await page.eval(`document.querySelector("header button").focus()`);
  await page.press("Enter");
  await page.until(`document.getElementById("token") !== null`);
  await page.goto(addressOf(site));
  assert.equal(await page.eval(`document.getElementById("page")`), null);
});

Deno.test("status page: whose token is gone is shown the form again", async () => {
  await using site = await openBusySite();
  await using browser = await startBrowser();
  const page = await signedIn(site, browser);
  await page.until(isLive);
  const file = join(site.haproxy.root, "conf/mcp-token.env");
  await Deno.writeTextFile(file, "MCP_TOKEN=another-token-of-thirty-two-characters\n");
  await page.until(`document.getElementById("token") !== null`);
});

Deno.test("status page: on a phone nothing runs out at the side", async () => {
  await using site = await openBusySite();
  await site.http.call("add_domain", {
    domain: `a-very-long-label-of-a-domain-name.${"x".repeat(60)}.example`,
    ip: "2001:db8:1234:5678:9abc:def0:1234:5678",
    http_port: 65_535,
  });
  await using browser = await startBrowser();
  for (const width of [320, 375]) {
    const page = await signedIn(site, browser, { ...PHONE, width });
    await page.until(isLive);
    await page.eval(`for (const each of document.querySelectorAll("details")) each.open = true`);
    assert.equal(await page.eval("document.documentElement.scrollWidth"), width);
  }
});

Deno.test("status page: of 1,000 domains it loads, stays small, and finds each", async () => {
  const pools = 1_000;
  const domains = Array.from(
    { length: pools },
    (_, i) => `d${String(i).padStart(4, "0")}.example pool_${i + 1}\n`,
  ).join("");
  await using site = await openSite({ pools, slots: 2, domains });
  await using browser = await startBrowser();
  const page = await signedIn(site, browser);
  await page.until(isLive);
  assert.match(await page.eval(textOf(".found")), /^1,000 backends, page 1 of 10\.$/);
  assert.ok(await page.eval<number>("document.documentElement.outerHTML.length") < 250_000);
  await page.eval(`document.getElementById("q").focus()`);
  await page.type("d0999");
  await page.until(`/d0999\\.example/.test(${textOf("#list")})`);
  assert.match(await page.eval(textOf(".found")), /^1 backend found/);
  assert.deepEqual(page.complaints.slice(1), []);
});

Deno.test("status page: pictures of it, light, dark, and on a phone", async () => {
  await using site = await openBusySite();
  await using browser = await startBrowser();
  await Deno.mkdir(PICTURES, { recursive: true });
  for (const [name, options] of Object.entries({ light: {}, dark: { dark: true }, phone: PHONE })) {
    const page = await signedIn(site, browser, options);
    await page.until(`${isLive} && document.querySelector("#traffic .line") !== null`);
    await page.eval(`document.querySelector(".backend").open = true`);
    const path = join(PICTURES, `status-${name}.png`);
    await page.screenshot(path);
    assert.deepEqual([...(await Deno.readFile(path)).subarray(1, 4)], [
      ...new TextEncoder().encode("PNG"),
    ]);
  }
});
