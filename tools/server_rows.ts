/** Servers as HAProxy reports them, beside what disk says: of the pools only filled slots, and of those no idle row is read. */
import { AgentError } from "../lib/errors.ts";
import { poolNumber, type PoolShape, serverName, slotOf } from "../lib/names/server.ts";
import { showBackendStat, showOneBackendStat, showServerStat } from "../lib/runtime/commands.ts";
import type { Conversation } from "../lib/runtime/connection.ts";
import { parseStat, type StatRow } from "../lib/runtime/parse.ts";
import { texts } from "../lib/runtime/replies.ts";
import type { Server, Slots } from "../lib/state/model.ts";
import { byNumber } from "../lib/state/servers_file.ts";
import type { ToolContext } from "./context.ts";
import { hostPort } from "./fields.ts";

/** A server that disk or haproxy.cfg has. */
export interface ServerRow {
  readonly backend: string;
  readonly server: string;
  /** What disk says of it; undefined for servers of the user's own backends, and for what disk does not know. */
  readonly wanted?: Server;
  /** What HAProxy reports; undefined where haproxy.cfg lacks the slot. */
  readonly row?: StatRow;
}

export interface Backends {
  /** Of every backend, in haproxy.cfg's order. */
  readonly backends: readonly StatRow[];
  readonly servers: readonly ServerRow[];
}

/** HAProxy and disk. */
export type Sides = Pick<ToolContext, "runtime" | "shape"> & {
  readonly transactions: Pick<ToolContext["transactions"], "read">;
};

const SERVER = "2";
const BACKEND = "1";

/** One backend's servers. Throws NOT_FOUND for one that HAProxy does not have. */
export async function readBackend(
  { transactions, shape }: ToolContext,
  backend: string,
  talk: Conversation,
): Promise<readonly ServerRow[]> {
  const look = showOneBackendStat(backend);
  const slots = await transactions.read((desired) => new Map(desired.slotsOf(backend)));
  const [reply] = await talk.exchange([look]);
  const unknown = !reply.ok && /^No such proxy/.test(reply.message);
  const rows = unknown ? [] : parseStat(texts([look], [reply])[0]);
  // A name that HAProxy does not know it reads as a number, and answers with the backend of that id.
  if (!rows.some(({ pxname, type }) => type === BACKEND && pxname === backend)) {
    throw new AgentError("NOT_FOUND", `HAProxy has no backend ${backend}.`, {
      hint: "haproxy_backends lists those in use.",
    });
  }
  return serversOf(backend, rows.filter(({ type }) => type === SERVER), slots, shape);
}

/** The servers of the backend that a caller names, of all where the name is empty. */
export async function readServers(
  context: ToolContext,
  backend: string,
  signal: AbortSignal,
): Promise<readonly ServerRow[]> {
  if (backend === "") return (await readBackends(context, signal)).servers;
  return await context.runtime.converse((talk) => readBackend(context, backend, talk), { signal });
}

/**
 * All backends and their servers, in one exchange that leaves out what is in maint, so that idle slots cost nothing. Only
 * backends that lack one of their servers in it are read whole, in a second.
 */
export async function readBackends(sides: Sides, signal: AbortSignal): Promise<Backends> {
  const filled = await filledSlots(sides);
  return await sides.runtime.converse((talk) => backendsOn(talk, filled, sides.shape), { signal });
}

/** A copy: while HAProxy answers, changes go on. */
export function filledSlots(
  { transactions }: Pick<Sides, "transactions">,
): Promise<ReadonlyMap<string, Slots>> {
  return transactions.read((desired) =>
    new Map([...desired.pools()].map(([pool, slots]) => [pool, new Map(slots)]))
  );
}

/** The same on a conversation that asks for other things, too. */
export async function backendsOn(
  talk: Conversation,
  filled: ReadonlyMap<string, Slots>,
  shape: PoolShape,
): Promise<Backends> {
  const slotsOf = (pool: string): Slots => filled.get(pool) ?? new Map();
  const first = showBackendStat();
  const rows = parseStat(texts([first], await talk.exchange([first]))[0]);
  const backends = rows.filter(({ type }) => type === BACKEND);
  const active = Map.groupBy(
    rows.filter(({ type }) => type === SERVER),
    ({ pxname }) => pxname,
  );

  const partial = backends.map(({ pxname }) => pxname)
    .filter((name, i) => isPartial(backends[i], active.get(name) ?? [], slotsOf(name), shape));
  const looks = partial.map((name) => showServerStat(name));
  texts(looks, await talk.exchange(looks)).forEach((text, i) =>
    active.set(partial[i], parseStat(text).filter(({ type }) => type === SERVER))
  );
  const known = new Set(backends.map(({ pxname }) => pxname));
  const lacking = [...filled.keys()].filter((pool) => !known.has(pool));
  const servers = [...known, ...lacking]
    .flatMap((name) => serversOf(name, active.get(name) ?? [], slotsOf(name), shape));
  return { backends, servers };
}

/** True where a server that matters is in maint, so that its row was left out. */
function isPartial(
  backend: StatRow,
  active: readonly StatRow[],
  slots: Slots,
  shape: PoolShape,
): boolean {
  const { pxname: name, status } = backend;
  if (poolNumber(name, shape) === undefined) {
    // `UP (1/2)`: usable servers of all.
    const all = Number(/\((\d+)\/(\d+)\)/.exec(status)?.[2] ?? 0);
    return all > active.length;
  }
  const seen = new Set(active.map(({ svname }) => svname));
  return slots.keys().some((slot) => !seen.has(serverName(name, slot)));
}

function serversOf(
  backend: string,
  rows: readonly StatRow[],
  slots: Slots,
  shape: PoolShape,
): ServerRow[] {
  if (poolNumber(backend, shape) === undefined) {
    return rows.map((row) => ({ backend, server: row.svname, row }));
  }
  const wanted = new Map(
    byNumber(slots).map(([slot, server]) => [serverName(backend, slot), server]),
  );
  const bySlot = new Map(rows.map((row) => [row.svname, row]));
  // What disk does not know but is in service is worth seeing; a slot that is in maint then is an empty one.
  const unknown = rows.filter(({ svname, status }) =>
    !wanted.has(svname) && slotOf(backend, svname, shape) !== undefined && !/^MAINT/.test(status)
  );
  return [
    ...wanted.entries().map(([server, wanted]) => ({
      backend,
      server,
      wanted,
      row: bySlot.get(server),
    })),
    ...unknown.map((row) => ({ backend, server: row.svname, row })),
  ];
}

/** HAProxy's word first (UP, DOWN, MAINT, DRAIN, no check), then `1/2` while a check has not made up its mind. */
export function statusOf({ row }: ServerRow): string {
  return row?.status ?? "not in haproxy.cfg";
}

/** `L7OK/200`, `L4CON Connection refused`; `* ` in front says that one is under way. */
export function checkOf({ row }: ServerRow): string {
  if (!row?.check_status) return "";
  const { check_status, check_code = "", last_chk = "" } = row;
  const status = check_status.replace(/^\* /, "");
  const code = check_code === "" ? "" : `/${check_code}`;
  return `${status}${code}${last_chk === "" ? "" : ` ${last_chk}`}`;
}

/** What a person has drained, put into maint or given no weight is out of service on purpose. */
export function isWanted({ wanted, row }: ServerRow): boolean {
  return wanted ? wanted.state === "ready" && wanted.weight > 0 : row !== undefined;
}

/** `10.0.0.1:80`, `[2001:db8::1]:80`: where HAProxy sends requests, or where disk says it should. */
export function addressOf({ row, wanted }: ServerRow): string {
  if (row?.addr) return row.addr;
  return wanted ? hostPort({ ip: wanted.ip, http_port: wanted.httpPort }) : "";
}

/** As a table names it: the pools' servers bear their pool in their name. */
export function fullName({ backend, server }: Pick<ServerRow, "backend" | "server">): string {
  return server.startsWith(`${backend}_`) ? server : `${backend}/${server}`;
}

/** True where HAProxy gives the server new requests: up or unchecked, and of a weight. Its status may be `UP 1/2`. */
export function isHealthy({ row }: ServerRow): boolean {
  return row !== undefined && /^(UP|no check)\b/.test(row.status ?? "") && Number(row.weight) > 0;
}
