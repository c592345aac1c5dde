/** The parameters and results that several tools share: one schema each, with its words. */
import * as z from "zod";
import { MAX_WEIGHT, SERVER_STATES, serverName } from "../lib/names/server.ts";
import type { Server } from "../lib/state/model.ts";
import type { Preview } from "../lib/transaction/request.ts";

/** The message for a wrong value, and another one for a missing one. */
const must = (be: string) => (issue: { readonly input?: unknown }) =>
  issue.input === undefined ? "is required" : `must be ${be}`;

export const text = () => z.string({ error: must("a string") });
export const flag = (fallback: boolean) =>
  z.boolean({ error: must("true or false") }).default(fallback);
export function whole(min: number, max: number) {
  const error = must(`a whole number from ${min} to ${max}`);
  return z.int({ error }).min(min, { error }).max(max, { error });
}
export const oneOf = <const T extends readonly string[]>(words: T) =>
  z.enum(words, { error: must(`one of ${words.join(", ")}`) });

export const domain = () =>
  text().describe("Host name such as www.example.com; *.example.com is the wildcard.");
export const certificateDomain = () => text().describe("Host name such as example.com, without *.");
/** The upper bound is a setting, so the handler checks it; 0 lets the tool choose where that is allowed. */
export const slot = (min: 0 | 1) =>
  whole(min, 1000).describe(
    min === 0
      ? "Slot of the pool, from 1; 0 takes the lowest free one."
      : "Slot of the pool, from 1.",
  );
export const ip = () => text().describe("The server's IPv4 or IPv6 address.");
export const httpPort = () => whole(1, 65535).default(80).describe("The server's HTTP port.");
export const weight = () =>
  whole(0, MAX_WEIGHT).describe("Share of the load: 0 takes no new requests.");
export const state = () =>
  oneOf(SERVER_STATES).describe(
    "ready serves; drain finishes what it has and takes nothing new; maint is out of service.",
  );

/** Of haproxy.cfg, where the tool takes all of them without it. HAProxy's grammar of names (configuration.txt 4). */
export const anyBackend = () => {
  const error = must("a backend's name, such as pool_5");
  return text().regex(/^[A-Za-z0-9_.:-]{0,255}$/, { error }).default("")
    .describe("Backend, such as pool_5 or one of your own; empty for all.");
};

export const dryRun = {
  dry_run: flag(false).describe("Check everything and answer what would change; change nothing."),
};
export const confirm = {
  confirm: flag(false).describe("The person has agreed. Asked for where MCP_CONFIRM=require."),
};
export const force = {
  force: flag(false).describe("Go on although it is the last healthy server of its pool."),
};

/** A server by its place: `domain` and `slot`, or `backend` and `server`. `place` checks that it is one pair. */
export const address = {
  domain: domain().optional(),
  slot: slot(1).optional(),
  backend: text().describe("Pool, such as pool_5; goes with server.").optional(),
  server: text().describe("Server, such as pool_5_1; goes with backend.").optional(),
};

export const serverEntry = z.object({
  slot: z.int(),
  name: z.string().describe("The server's name in HAProxy, such as pool_5_1."),
  ip: z.string(),
  http_port: z.int(),
  state: z.enum(SERVER_STATES),
  weight: z.int(),
});

export const wouldChange = {
  would_change: z.object({
    files: z.array(z.object({ file: z.string(), lines: z.array(z.string()) }))
      .describe("Lines that go (-) and come (+)."),
    commands: z.array(z.string()).describe("Runtime API commands."),
  }).optional().describe("Only with dry_run; the first 200 of each."),
};

export function entryOf(pool: string, slot: number, { ip, httpPort, weight, state }: Server) {
  return { slot, name: serverName(pool, slot), ip, http_port: httpPort, state, weight };
}

/** `10.0.0.1:80`, `[2001:db8::1]:80`. */
export function hostPort(
  { ip, http_port }: { readonly ip: string; readonly http_port: number },
): string {
  return `${ip.includes(":") ? `[${ip}]` : ip}:${http_port}`;
}

/** Of a thousand changes nobody reads all. */
const MAX_PREVIEWED = 200;

function atMost(lines: readonly string[]): string[] {
  const more = lines.length - MAX_PREVIEWED;
  return more > 0 ? [...lines.slice(0, MAX_PREVIEWED), `… and ${more} more`] : [...lines];
}

/** A writing tool's answer: what it did, or what a dry run says it would do. */
export function answer<T extends object>(
  done: string,
  structured: T,
  preview: Preview | undefined,
): {
  text: string;
  structured: T & {
    would_change?: { files: { file: string; lines: string[] }[]; commands: string[] };
  };
} {
  if (!preview) return { text: done, structured };
  const would_change = {
    files: preview.files.map(({ file, lines }) => ({ file, lines: atMost(lines) })),
    commands: atMost(preview.commands),
  };
  const lines = [
    ...would_change.files.flatMap((
      { file, lines },
    ) => [`${file}:`, ...lines.map((line) => `  ${line}`)]),
    ...(would_change.commands.length > 0
      ? ["HAProxy:", ...would_change.commands.map((command) => `  ${command}`)]
      : []),
  ];
  const what = lines.length > 0
    ? `It would be: ${done}\n${lines.join("\n")}`
    : `Nothing would change: ${done}`;
  return {
    text: `Dry run, nothing was changed. ${what}`,
    structured: { ...structured, would_change },
  };
}
