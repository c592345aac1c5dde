/** What the status page shows, as the tools room sees it: plain data. */
import type { ServerState } from "./names/server.ts";

/** Which backends are listed; all else is the same for everybody. */
export interface OverviewQuestion {
  /** A part of a domain, a backend, a server or its address; empty: all of them. */
  readonly search: string;
  /** Of those that were found, counted from 1. */
  readonly page: number;
}

export interface Overview {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly haproxy: HaproxyView;
  /** Why the files can't be read; undefined: they can. */
  readonly filesProblem?: string;
  readonly domains: number;
  readonly servers: number;
  /** Servers that take requests; undefined: HAProxy was not seen. */
  readonly healthy?: number;
  /** Backends that need a look, the first of them. */
  readonly troubles: readonly Trouble[];
  /** How many there are. */
  readonly troubleCount: number;
  readonly backends: BackendPage;
  /** The last 15 minutes, the oldest first. */
  readonly traffic: readonly TrafficSample[];
  readonly certificates: CertificatesView;
  readonly sync: SyncView;
  /** Calls of writing tools, the newest first. */
  readonly changes: readonly ChangeView[];
}

export interface HaproxyView {
  /** `host:port` of the Runtime API. */
  readonly address: string;
  /** Undefined: it was not seen, and `problem` says why. */
  readonly process?: {
    readonly version: string;
    readonly pid: number;
    /** Milliseconds since 1970. */
    readonly startedAt: number;
    readonly connections: number;
    readonly connectionLimit: number;
  };
  readonly problem?: string;
}

/**
 * up: every server that is meant to take requests does. degraded: some. down: none. off: each is in drain, in maint or of
 * weight 0. empty: no server. astray: HAProxy has no such backend. unseen: HAProxy does not answer.
 */
export type Standing = "up" | "degraded" | "down" | "off" | "empty" | "astray" | "unseen";

export interface Trouble {
  readonly backend: string;
  /** One of those that lead there; empty: none. */
  readonly domain: string;
  /** How many do. */
  readonly domains: number;
  readonly standing: Standing;
}

export interface BackendPage {
  readonly list: readonly BackendView[];
  /** Of all that were found. */
  readonly count: number;
  readonly page: number;
  readonly pages: number;
}

export interface BackendView {
  readonly name: string;
  /** The first of those that lead there; those that were searched for come before the others. */
  readonly domains: readonly string[];
  readonly domainCount: number;
  readonly standing: Standing;
  readonly healthy: number;
  readonly servers: readonly ServerView[];
}

export interface ServerView {
  readonly name: string;
  readonly address: string;
  /** HAProxy's word: UP, DOWN, MAINT, DRAIN, no check, `UP 1/2`; empty: HAProxy was not seen. */
  readonly status: string;
  /** It takes requests. */
  readonly healthy: boolean;
  /** As it was set; undefined for servers that only haproxy.cfg knows. */
  readonly state?: ServerState;
  /** The last health check's result, such as `L7OK/200`; empty: none yet. */
  readonly check: string;
  /** Seconds since it became UP or DOWN. */
  readonly changed?: number;
  readonly connections: number;
  readonly queued: number;
  readonly weight: number;
}

/** From one sample to the next in milliseconds, as a rule. */
export const SAMPLE_MS = 5_000;
/** Where a sample is missing: what was counted over so long is no rate of any moment, and no line is drawn across. */
export const GAP_MS = 3 * SAMPLE_MS;
export const TRAFFIC_MS = 15 * 60_000;

/** What HAProxy's frontends have taken and answered between the sample before and this one. */
export interface TrafficSample {
  /** Milliseconds since 1970. A sample that is missing shows in it: HAProxy did not answer. */
  readonly at: number;
  /** HTTP requests a second. */
  readonly requests: number;
  /** The share of 5xx among the answers, 0 to 1. */
  readonly errors: number;
}

export interface CertificatesView {
  /** The first to end come first. */
  readonly list: readonly CertificateView[];
  readonly count: number;
  /** Why the lists can't be read; undefined: they can. */
  readonly problem?: string;
}

export interface CertificateView {
  /** Or the name of a file that belongs to no domain, such as default. */
  readonly name: string;
  readonly issuer: string;
  /** ISO 8601; empty where the file can't be read. */
  readonly notAfter: string;
  /** Negative: it has expired; null: the file can't be read. */
  readonly days: number | null;
  /** ISO 8601; empty: nobody renews it. */
  readonly renewal: string;
  /** What the last order failed by; empty: it did not. */
  readonly failure: string;
  readonly problem: string;
}

/** What disk and HAProxy differ in. */
export type SyncView =
  | { readonly known: false; readonly why: string }
  | {
    readonly known: true;
    /** Domains, servers and certificates, the first of them. */
    readonly differences: readonly string[];
    readonly count: number;
    /** What can't be brought in line. */
    readonly problems: readonly string[];
  };

export interface ChangeView {
  /** ISO 8601. */
  readonly at: string;
  readonly who: string;
  readonly tool: string;
  /** `domain=a.test ip=10.0.0.1`. */
  readonly args: string;
  /** `OK`, or the error's code. */
  readonly code: string;
  readonly message: string;
}
