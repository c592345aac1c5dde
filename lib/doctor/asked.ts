/** What HAProxy was asked, for the checks that need it: where nobody answers, one of them says so, and the others point to it. */
import type { Examination } from "../../tools/examine.ts";
import { need, Skip } from "./check.ts";
import type { Seen } from "./seen.ts";

type HaproxySeen = Examination["haproxy"];

/** One thing that HAProxy was asked; skipped where nobody, or no one process, answers. */
export function asked<Name extends keyof HaproxySeen>(seen: Seen, name: Name): HaproxySeen[Name] {
  const { haproxy } = need(seen.room);
  if ("error" in haproxy.process) {
    throw new Skip(
      haproxy.process.error.code === "CONFLICT"
        ? "nobody knows which HAProxy would answer (see one-haproxy)"
        : "HAProxy does not answer (see runtime-api)",
    );
  }
  return haproxy[name];
}

/** The same for what only an admin may ask. */
export function askedAsAdmin<Name extends keyof HaproxySeen>(
  seen: Seen,
  name: Name,
): HaproxySeen[Name] {
  const looked = asked(seen, name);
  if (need(asked(seen, "level")) === "admin") return looked;
  throw new Skip("the Runtime API does not let us look (see admin-level)");
}

/** What the tools room has read below the root; skipped where there is none, for the root's own reason. */
export function underRoot<Name extends "files" | "domains" | "drift">(
  seen: Seen,
  name: Name,
): Examination[Name] {
  need(seen.root);
  return need(seen.room)[name];
}
