import assert from "node:assert/strict";
import { covers } from "../../lib/certificates/covers.ts";

Deno.test("covers takes the name itself, and a wildcard for exactly one label", () => {
  const table: readonly (readonly [readonly string[], string, boolean])[] = [
    [["a.test"], "a.test", true],
    [["a.test"], "b.a.test", false],
    [["*.a.test"], "b.a.test", true],
    [["*.a.test"], "a.test", false],
    [["*.a.test"], "c.b.a.test", false],
    [["*.a.test"], "*.a.test", true],
    [["a.test"], "*.a.test", false],
    [["b.a.test"], "*.a.test", false],
    [["*"], "test", false],
    [["*.test"], "a.test", true],
    [["xn--bcher-kva.test"], "xn--bcher-kva.test", true],
    [[], "a.test", false],
  ];
  for (const [names, name, covered] of table) {
    assert.equal(covers(names, name), covered, `${names} and ${name}`);
  }
});
