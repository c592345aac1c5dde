/**
 * axe-core in a page of the browser: what it finds against WCAG 2.2 A and AA, and its own best practices.
 *
 * Needs AXE, which scripts/setup.sh --tests sets.
 */
import type { Page } from "./browser.ts";

export interface Finding {
  readonly id: string;
  readonly impact: "minor" | "moderate" | "serious" | "critical";
  readonly help: string;
  /** Selectors of the elements. */
  readonly elements: readonly string[];
}

export async function findBarriers(page: Page): Promise<Finding[]> {
  const path = Deno.env.get("AXE");
  if (!path) throw new Error("AXE is not set: run the tests by scripts/test.sh");
  // Evaluated by the DevTools protocol, which the page's policy does not bind.
  await page.eval(`${await Deno.readTextFile(path)}\n;0`);
  return await page.eval(`axe.run().then(({ violations }) => violations.map(
    ({ id, impact, help, nodes }) => ({ id, impact, help, elements: nodes.map(({ target }) => target.join(" ")) })))`);
}
