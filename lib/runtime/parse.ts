/** What the show commands answer, as data. Columns are found by their header's names, since versions add some. */
import { canonicalIp } from "../names/address.ts";
import type { ServerState } from "../names/server.ts";

export interface RuntimeMap {
  readonly id: number;
  /** The file's path as HAProxy spells it; empty where the map has none. */
  readonly file: string;
}

/** `show map`: `0 (/path/of.map) pattern loaded from file …` a line. */
export function parseMaps(text: string): RuntimeMap[] {
  return lines(text).flatMap((line) => {
    const match = /^(\d+) \((.*?)\) /.exec(line);
    return match ? [{ id: Number(match[1]), file: match[2] }] : [];
  });
}

/** `show map`: the configuration files that use a map, as HAProxy spells them. */
export function parseMapUsers(text: string): string[] {
  return [
    ...new Set(Array.from(text.matchAll(/ at file '([^']+)' line \d+/g), ([, file]) => file)),
  ];
}

/** `show map M`: `0x55… key value` a line. Entries in their order, duplicates included. */
export function parseMap(text: string): [key: string, value: string][] {
  return lines(text).flatMap((line): [string, string][] => {
    const match = /^0x[0-9a-f]+ (\S+) (.*)$/.exec(line);
    return match ? [[match[1], match[2]]] : [];
  });
}

/** `get map M key`: the value, or undefined where the key isn't found. */
export function parseGetMap(text: string): string | undefined {
  return /\bfound=yes\b.*\bvalue="([^"]*)"/.exec(text)?.[1];
}

/** A server as HAProxy runs it. */
export interface RunningServer {
  readonly backend: string;
  readonly server: string;
  /** Canonical. */
  readonly ip: string;
  readonly port: number;
  readonly state: ServerState;
  readonly weight: number;
  /** The checks' verdict: false is DOWN. Meaningless in maint. */
  readonly up: boolean;
}

/** What `server-template … slot.invalid:1 disabled` with `init-addr last,127.0.0.1` leaves in an empty slot. */
export const PLACEHOLDER = { ip: "127.0.0.1", port: 1, weight: 1 } as const;

/** True for the address of an empty slot; 0.0.0.0 is the placeholder of the original's configurations. */
export function isPlaceholder({ ip, port, weight }: RunningServer): boolean {
  const empty = ip === "0.0.0.0" || (ip === PLACEHOLDER.ip && port === PLACEHOLDER.port);
  return empty && weight === PLACEHOLDER.weight;
}

/** srv_admin_state, a bit mask (management.txt, "show servers state"): forced maintenance and forced drain. */
const FORCED_MAINT = 0x01;
const FORCED_DRAIN = 0x08;
/** srv_op_state 0 is SRV_ST_STOPPED. */
const STOPPED = "0";

/** `show servers state [backend]`. */
export function parseServersState(text: string): RunningServer[] {
  const [, header = "", ...rows] = lines(text);
  const columns = header.replace(/^# /, "").split(" ");
  const at = (name: string) => {
    const index = columns.indexOf(name);
    if (index < 0) throw new SyntaxError(`show servers state has no column ${name}`);
    return index;
  };
  const backend = at("be_name"),
    server = at("srv_name"),
    ip = at("srv_addr"),
    port = at("srv_port");
  const admin = at("srv_admin_state"), op = at("srv_op_state"), weight = at("srv_uweight");
  const last = Math.max(backend, server, ip, port, admin, op, weight);
  return rows.map((row) => {
    const cells = row.split(" ");
    if (cells.length <= last) throw new SyntaxError("a row of show servers state ends too early");
    const bits = Number(cells[admin]);
    return {
      backend: cells[backend],
      server: cells[server],
      ip: canonicalIp(cells[ip]) ?? cells[ip],
      port: Number(cells[port]),
      state: bits & FORCED_MAINT ? "maint" : bits & FORCED_DRAIN ? "drain" : "ready",
      weight: Number(cells[weight]),
      up: cells[op] !== STOPPED,
    };
  });
}

/** A server with the name that its address comes from. */
export interface NamedServer {
  readonly backend: string;
  readonly server: string;
  /** As in haproxy.cfg; undefined: an address stands there. */
  readonly hostName?: string;
}

/** `show servers state [backend]`: what haproxy.cfg says of the servers' addresses. */
export function parseServerNames(text: string): NamedServer[] {
  const [, header = "", ...rows] = lines(text);
  const columns = header.replace(/^# /, "").split(" ");
  const [backend, server, name] = ["be_name", "srv_name", "srv_fqdn"]
    .map((column) => columns.indexOf(column));
  return rows.map((row) => {
    const cells = row.split(" ");
    const hostName = cells[name] ?? "-";
    return {
      backend: cells[backend],
      server: cells[server],
      ...(hostName !== "-" && { hostName }),
    };
  });
}

/** `show activity`: HAProxy's clock. Milliseconds since 1970; undefined where it does not say. */
export function parseClock(text: string): number | undefined {
  const seconds = /^date_now: (\d+\.\d+)$/m.exec(text)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

/** One row of `show stat`: every column as text, by its name. The names are its prototype's, not its own. */
export type StatRow = Readonly<Record<string, string>>;

/** `show stat`: CSV whose cells hold commas only in quotes. */
export function parseStat(text: string): StatRow[] {
  const [header = "", ...rows] = lines(text);
  const Row = rowOf(header);
  return rows.map((row) => new Row(splitCsv(row)));
}

let known: { readonly header: string; readonly Row: ReturnType<typeof rowClass> } | undefined;

/** HAProxy has one header at a time. */
function rowOf(header: string) {
  if (known?.header !== header) known = { header, Row: rowClass(header) };
  return known.Row;
}

/** A row has two hundred columns, of which a reader wants ten: each is looked up when it is asked for. */
function rowClass(header: string): new (cells: readonly string[]) => StatRow {
  class Row {
    readonly #cells: readonly string[];

    constructor(cells: readonly string[]) {
      this.#cells = cells;
    }

    static {
      header.replace(/^# /, "").split(",").forEach((name, i) => {
        const get = function (this: Row) {
          return this.#cells[i] ?? "";
        };
        Object.defineProperty(Row.prototype, name, { get, configurable: true });
      });
    }
  }
  return Row as unknown as new (cells: readonly string[]) => StatRow;
}

function splitCsv(row: string): string[] {
  if (!row.includes('"')) return row.split(",");
  // Every cell behind a comma: an empty first cell would match nothing, and be taken for two.
  return [...`,${row}`.matchAll(/,(?:"((?:[^"]|"")*)"|([^,]*))/g)]
    .map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain);
}

/** `show info`: `Key: value` a line. */
export function parseInfo(text: string): Record<string, string> {
  return Object.fromEntries(
    lines(text).map((line) => {
      const colon = line.indexOf(": ");
      return colon < 0
        ? [line.replace(/:$/, ""), ""]
        : [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
