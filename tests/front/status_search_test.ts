/** The search of the status page as its script does it, in a headless Chromium. */
import { startBrowser } from "../support/browser.ts";
import { backend, openStatusRig, overview } from "./overview.ts";
import { FULL_TOKEN } from "./rig.ts";

const textOf = (id: string) => `document.getElementById("${id}").textContent`;

Deno.test("status page: after a search all sections are of that moment, and not the list alone", async () => {
  // Whoever does not search sees what was: as if the connection had been lost since then.
  const down = overview({
    healthy: 0,
    troubles: [{ backend: "pool_1", domain: "a.test", domains: 1, standing: "down" }],
    troubleCount: 1,
    backends: {
      list: [backend({ standing: "down", healthy: 0 })],
      count: 1,
      page: 1,
      pages: 1,
    },
    sync: { known: false, why: "Nobody has looked yet." },
  });
  await using rig = await openStatusRig(({ search }) => search === "" ? overview() : down);
  await using browser = await startBrowser();
  const page = await browser.open(rig.page);
  await page.until(`document.activeElement.id === "token"`);
  await page.type(FULL_TOKEN);
  await page.press("Enter");
  await page.until(`document.getElementById("live")?.textContent === "Live"`);
  await page.until(`/^\\s*All is well/.test(${textOf("summary")})`);
  await page.eval(`document.getElementById("q").focus()`);
  await page.type("shop");
  await page.until(`location.search === "?q=shop"`);
  await page.until(`!/All is well/.test(${textOf("summary")})`);
  await page.until(`/a\\.test/.test(${textOf("troubles")})`);
  await page.until(`/Nobody has looked/.test(${textOf("sync")})`);
});
