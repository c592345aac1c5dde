/** How the page says things: times, lengths of time, numbers, and the tone of each state. */
import type { Standing } from "../../overview.ts";
import { type Html, html } from "./markup.ts";

/** Colour and shape of the mark before a word; the word says the same. */
export type Tone = "good" | "warn" | "bad" | "idle";

export const toned = (tone: Tone, words: string): Html =>
  html`<span class="tone ${tone}">${words}</span>`;

export const STANDINGS: Readonly<Record<Standing, readonly [tone: Tone, words: string]>> = {
  up: ["good", "up"],
  degraded: ["warn", "degraded"],
  down: ["bad", "down"],
  off: ["idle", "switched off"],
  empty: ["idle", "no servers"],
  astray: ["bad", "not in haproxy.cfg"],
  unseen: ["idle", "not seen"],
};

/** UTC, as the page says once: `2026-11-27 09:15:02`. */
export function time(at: string | number): Html {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)}</time>`;
}

export const day = (iso: string): Html => html`<time datetime="${iso}">${iso.slice(0, 10)}</time>`;

/** Coarse, so that it seldom changes. */
export function length(seconds: number): string {
  if (seconds < 60) return "under 1 min";
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return counted(Math.floor(seconds / 86_400), "day");
}

/** `1 day`, `2 days`. */
export const counted = (count: number, word: string): string =>
  `${number(count)} ${word}${count === 1 ? "" : "s"}`;

const FORMAT = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
export const number = (value: number): string => FORMAT.format(value);

export const percent = (share: number): string => `${number(share * 100)} %`;
