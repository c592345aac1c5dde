import { deepEqual, equal, match } from "node:assert/strict";
import { trafficPart } from "../../../lib/front/status/plots.ts";
import type { TrafficSample } from "../../../lib/overview.ts";

const NOW = 1_800_000_000_000;
const sample = (secondsAgo: number, requests: number, errors = 0): TrafficSample => ({
  at: NOW - secondsAgo * 1000,
  requests,
  errors,
});

/** The lines of the first plot: each one's points. */
function linesOf(samples: readonly TrafficSample[], which = 0): string[] {
  const figures = trafficPart(samples, NOW).html.split("<figure>").slice(1);
  return [...figures[which].matchAll(/<path class="line" d="([^"]*)"/g)].map(([, d]) => d);
}

Deno.test("traffic: a second is one wide, and the highest value decides the scale", () => {
  deepEqual(linesOf([sample(10, 0), sample(5, 10), sample(0, 20)]), [
    "M890 100L890 100 895 50 900 0",
  ]);
  match(trafficPart([sample(5, 10), sample(0, 18)], NOW).html, /aria-hidden="true">20</);
});

Deno.test("traffic: where samples are missing there is no line", () => {
  equal(linesOf([sample(100, 1), sample(95, 1), sample(10, 1), sample(5, 1)]).length, 2);
  equal(linesOf([]).length, 0);
  // One alone is as wide as a sample is long.
  deepEqual(linesOf([sample(0, 1)]), ["M895 0L900 0"]);
});

Deno.test("traffic: in words, what is now and what was most; an old sample is not now", () => {
  const { html } = trafficPart([sample(5, 40, 0.25), sample(0, 12.345, 0.001)], NOW);
  match(html, /Requests a second, the last 15 minutes: now 12\.3, at most 40/);
  match(html, /Share of errors \(5xx\), the last 15 minutes: now 0\.1 %, at most 25 %/);
  match(trafficPart([sample(60, 40)], NOW).html, /now not known, at most 40/);
});

Deno.test("traffic: quiet is a flat line at the bottom, and errors never go beyond all", () => {
  deepEqual(linesOf([sample(5, 0), sample(0, 0)]), ["M895 100L895 100 900 100"]);
  deepEqual(linesOf([sample(5, 1, 1), sample(0, 1, 1)], 1), ["M895 0L895 0 900 0"]);
});

Deno.test("traffic: it moves on with the samples, and not with every look", () => {
  const samples = [sample(5, 1), sample(1, 1)];
  equal(trafficPart(samples, NOW - 900).html, trafficPart(samples, NOW - 100).html);
});
