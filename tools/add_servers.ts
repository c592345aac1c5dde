/** Several servers in one call: all checked before anything is written, and one transaction. */
import * as z from "zod";
import { AgentError } from "../lib/errors.ts";
import { parseServerIp } from "../lib/names/address.ts";
import { parseDomain } from "../lib/names/domain.ts";
import { type Change, type Desired, freeSlot, type Server } from "../lib/state/model.ts";
import { byNumber } from "../lib/state/servers_file.ts";
import type { ToolContext } from "./context.ts";
import {
  answer,
  domain,
  dryRun,
  entryOf,
  hostPort,
  httpPort,
  ip,
  serverEntry,
  slot,
  weight,
  wouldChange,
} from "./fields.ts";
import { checkSlot, poolOf } from "./places.ts";
import { type HandlerContext, invalid, PUTS, tool } from "./tool.ts";

const MAX_SERVERS = 10;
const MAX_JSON_BYTES = 10 * 1024;

const item = z.strictObject({
  slot: slot(0).default(0),
  ip: ip(),
  http_port: httpPort(),
  weight: weight().default(1),
});
const list = z.array(item, { error: "must be a JSON array of servers" })
  .min(1, { error: "must name at least one server" })
  .max(MAX_SERVERS, { error: `must name at most ${MAX_SERVERS} servers` });

/** What one item asks for. Its slot is chosen when the state is known. */
interface Wanted {
  readonly slot: number;
  readonly server: Server;
}

/** A server that HAProxy refused. The others were added. */
interface Failed {
  readonly slot: number;
  readonly name: string;
  readonly error: string;
}

export const addServers = tool({
  name: "haproxy_add_servers",
  title: "Add several servers",
  description:
    "Puts up to 10 servers into a domain's pool in one go. All are checked before anything is written.",
  group: "servers",
  hints: PUTS,
  input: z.strictObject({
    domain: domain(),
    servers: z.union([list, z.string()], { error: "must be a JSON array of servers, or its text" })
      .describe(
        'Array, or its JSON text: [{"slot": 1, "ip": "10.0.0.1", "http_port": 80, "weight": 1}, …].',
      ),
    ...dryRun,
  }),
  output: z.object({
    domain: z.string(),
    pool: z.string(),
    added: z.array(serverEntry),
    failed: z.array(z.object({ slot: z.int(), name: z.string(), error: z.string() }))
      .describe("Those that HAProxy refused; the others were added."),
    ...wouldChange,
  }),
  async run({ domain, servers }, context, call) {
    const { name } = parseDomain(domain);
    const wanted = parseServers(servers, context);
    const { outcome, failed } = await addAll(domain, wanted, context, call);
    const { pool, added } = outcome.result;
    const lines = [
      `Added ${
        added.map((server) => `${server.name}=${hostPort(server)}`).join(", ")
      } for ${name}.`,
      ...failed.map((failure) => `Not added: ${failure.name}: ${failure.error}`),
    ];
    return answer(
      lines.join("\n"),
      { domain: name, pool, added, failed: [...failed] },
      outcome.preview,
    );
  },
});

function parseServers(servers: string | z.output<typeof list>, { shape }: ToolContext): Wanted[] {
  const items = typeof servers === "string" ? parseJson(servers) : servers;
  const wanted = items.map(({ slot, ip, http_port, weight }): Wanted => ({
    slot: checkSlot(slot, shape),
    server: { ip: parseServerIp(ip), httpPort: http_port, weight, state: "ready" },
  }));
  const named = wanted.map(({ slot }) => slot).filter((slot) => slot > 0);
  const twice = named.find((slot, i) => named.indexOf(slot) !== i);
  if (twice === undefined) return wanted;
  throw new AgentError("VALIDATION", `servers names slot ${twice} twice.`, {
    hint: "Give each server a slot of its own, or 0 for the lowest free one.",
  });
}

function parseJson(text: string): z.output<typeof list> {
  const refuse = (why: string) =>
    new AgentError("VALIDATION", `servers ${why}.`, {
      hint: 'Such as [{"slot": 1, "ip": "10.0.0.1", "http_port": 80}].',
    });
  if (new TextEncoder().encode(text).length > MAX_JSON_BYTES) {
    throw refuse(`is larger than ${MAX_JSON_BYTES} bytes`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refuse(`is not JSON: ${(cause as Error).message}`);
  }
  const parsed = list.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error, item, ["servers"]);
}

/** What the pool's haproxy.cfg lacks or HAProxy refuses is left out, and the rest tried again. */
async function addAll(
  domain: string,
  wanted: readonly Wanted[],
  context: ToolContext,
  call: HandlerContext,
) {
  const failed: Failed[] = [];
  for (;;) {
    const without = new Set(failed.map(({ slot }) => slot));
    try {
      const outcome = await call.change((desired) =>
        planAll(desired, domain, wanted, without, context)
      );
      return { outcome, failed };
    } catch (cause) {
      const error = AgentError.from(cause);
      const name = error.code === "HAPROXY_REJECTED" ? error.details?.server : undefined;
      const slot = typeof name === "string" ? Number(/\d+$/.exec(name)?.[0]) : NaN;
      if (typeof name !== "string" || without.has(slot) || failed.length + 1 >= wanted.length) {
        throw error;
      }
      failed.push({ slot, name, error: error.message });
    }
  }
}

function planAll(
  desired: Desired,
  domain: string,
  wanted: readonly Wanted[],
  without: ReadonlySet<number>,
  { shape }: ToolContext,
) {
  const pool = poolOf(desired, parseDomain(domain), shape);
  const slots = new Map(desired.slotsOf(pool));
  const chosen = new Map<number, Server>();
  // Named slots first, so that none of them is taken for a 0.
  for (
    const { slot, server } of wanted.toSorted((a, b) => Number(b.slot > 0) - Number(a.slot > 0))
  ) {
    const free = slot || freeSlot(new Map([...slots, ...chosen]), shape);
    if (free === undefined) {
      throw new AgentError(
        "CAPACITY",
        `${pool} has not enough free slots for ${wanted.length} servers.`,
        {
          hint:
            `${slots.size} of ${shape.maxSlots} are used. Remove servers, or name the slots to replace.`,
        },
      );
    }
    chosen.set(free, server);
  }
  for (const slot of without) chosen.delete(slot);
  const changes = byNumber(chosen).map(([slot, server]): Change => ({
    kind: "server",
    pool,
    slot,
    before: slots.get(slot) ?? null,
    after: server,
  }));
  const added = byNumber(chosen).map(([slot, server]) => entryOf(pool, slot, server));
  return { changes, result: { pool, added } };
}
