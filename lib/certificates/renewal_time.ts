/** When a certificate is renewed, and when it is tried again after a failure. */

/** ISO 8601. */
export interface Lifetime {
  readonly notBefore: string;
  readonly notAfter: string;
}

/** The CA's suggestedWindow (RFC 9773, 4.2). ISO 8601. */
export interface RenewalWindow {
  readonly start: string;
  readonly end: string;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const SHORT_LIVED = 10 * DAY;
/** However the CA's window lies, this much of the lifetime is left for failures: tries get as rare as one a day. */
const RESERVE = { share: 1 / 10, most: 7 * DAY };
const LONGEST_PAUSE = 24 * HOUR;
/** The longest that a rate limit of Let's Encrypt lasts; more is taken for a CA's mistake. */
const LONGEST_RETRY_AFTER = 7 * DAY;

/**
 * At two thirds of the lifetime; at half of it when it is 10 days or less. Within the CA's window where there is one,
 * unless that is too near the end: at least a tenth of the lifetime, at most 7 days, is left for failures. A window that
 * ends no later than it starts is none (RFC 9773, 4.2).
 *
 * @param pick 0 to 1: where in the window. The same for a certificate every time, or the time moves with every look
 */
export function renewalTime(
  { notBefore, notAfter }: Lifetime,
  window?: RenewalWindow,
  pick = 0.5,
): Date {
  const from = Date.parse(notBefore), until = Date.parse(notAfter);
  const lifetime = until - from;
  const start = Date.parse(window?.start ?? ""), end = Date.parse(window?.end ?? "");
  if (!(start < end)) return new Date(from + lifetime * (lifetime <= SHORT_LIVED ? 1 / 2 : 2 / 3));
  const latest = until - Math.min(RESERVE.most, lifetime * RESERVE.share);
  return new Date(Math.min(start + pick * (end - start), latest));
}

/** Also where the time is long past, as with a window that was. */
export function isDue(at: Date, now: Date): boolean {
  return at <= now;
}

/**
 * 1, 2, 4 … 24 hours after the last of so many failures, or when the CA's Retry-After is over, whichever is later. A
 * Retry-After counts up to 7 days after the failure.
 */
export function nextTry(failures: number, lastAt: Date, retryAfter?: Date): Date {
  const pause = failures < 1 ? 0 : Math.min(HOUR * 2 ** (failures - 1), LONGEST_PAUSE);
  const asked = retryAfter ? retryAfter.getTime() - lastAt.getTime() : 0;
  return new Date(lastAt.getTime() + Math.max(pause, Math.min(asked, LONGEST_RETRY_AFTER)));
}

/**
 * Whether what was noted to be waited for lies ahead. Further than any pause goes, it was noted by a clock that was wrong:
 * it is not waited for.
 */
export function isAhead(noted: Date | number, now: number): boolean {
  const ms = Number(noted) - now;
  return ms > 0 && ms <= LONGEST_RETRY_AFTER;
}

/** A certificate with less than this share of its life should have been renewed long ago: at two thirds of it. */
const NEARLY_OVER = 1 / 6;

/** How much is left of a certificate's life. */
export function lifeLeft(
  { notBefore, notAfter }: Lifetime,
  now: number,
): "none" | "little" | "enough" {
  const end = Date.parse(notAfter);
  if (end <= now) return "none";
  return end - now < (end - Date.parse(notBefore)) * NEARLY_OVER ? "little" : "enough";
}

/** Whole days, rounded down; negative when expired. */
export function daysLeft(notAfter: string, now: Date): number {
  return Math.floor((Date.parse(notAfter) - now.getTime()) / DAY);
}

/** ISO 8601 UTC, in whole seconds. */
export const seconds = (at: Date): string => `${at.toISOString().slice(0, 19)}Z`;
