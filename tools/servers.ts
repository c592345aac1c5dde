/** Servers: what stands in a domain's pool, and the changes of its slots. */
import * as z from "zod";
import { AgentError } from "../lib/errors.ts";
import { parseServerIp } from "../lib/names/address.ts";
import { parseDomain } from "../lib/names/domain.ts";
import { SERVER_STATES } from "../lib/names/server.ts";
import { showServerStat } from "../lib/runtime/commands.ts";
import { parseStat } from "../lib/runtime/parse.ts";
import { texts } from "../lib/runtime/replies.ts";
import { type Change, freeSlot, type Server, type Slots } from "../lib/state/model.ts";
import { byNumber } from "../lib/state/servers_file.ts";
import {
  address,
  answer,
  confirm,
  domain,
  dryRun,
  entryOf,
  force,
  hostPort,
  httpPort,
  ip,
  serverEntry,
  slot,
  state,
  weight,
  wouldChange,
} from "./fields.ts";
import { lastHealthyGuard } from "./guards.ts";
import { checkSlot, place, poolOf } from "./places.ts";
import { CHANGES, PUTS, READS, tool } from "./tool.ts";

export const listServers = tool({
  name: "haproxy_list_servers",
  title: "List a domain's servers",
  description:
    "Lists the servers of a domain's pool: slot, address, desired state, weight, and the status that " +
    "HAProxy reports (UP, DOWN, MAINT, DRAIN, no check).",
  group: "servers",
  hints: READS,
  input: z.strictObject({ domain: domain() }),
  output: z.object({
    domain: z.string(),
    pool: z.string(),
    servers: z.array(serverEntry.extend({ status: z.string().describe("As HAProxy reports it.") })),
  }),
  async run({ domain }, { transactions, runtime, shape }, { signal }) {
    const listed = parseDomain(domain);
    const { pool, entries } = await transactions.read((desired) => {
      const pool = poolOf(desired, listed, shape);
      return {
        pool,
        entries: byNumber(desired.slotsOf(pool)).map(([slot, server]) =>
          entryOf(pool, slot, server)
        ),
      };
    });
    const look = showServerStat(pool);
    const replies = await runtime.converse((talk) => talk.exchange([look]), { signal });
    const status = new Map(
      parseStat(texts([look], replies)[0]).map((row) => [row.svname, row.status]),
    );
    const servers = entries.map((entry) => ({
      ...entry,
      status: status.get(entry.name) ?? "not in haproxy.cfg",
    }));
    const lines = servers.map((server) =>
      `• ${server.name}=${
        hostPort(server)
      } ${server.status} (${server.state}, weight ${server.weight})`
    );
    return {
      text: [`${listed.name} -> ${pool}: ${lines.length || "no"} servers`, ...lines].join("\n"),
      structured: { domain: listed.name, pool, servers },
    };
  },
});

export const addServer = tool({
  name: "haproxy_add_server",
  title: "Add a server",
  description:
    "Puts a server into a slot of a domain's pool and into service. slot=0 takes the lowest free one; a " +
    "taken slot is replaced only when it is named, and requests in flight end at the old address.",
  group: "servers",
  hints: PUTS,
  input: z.strictObject({
    domain: domain(),
    slot: slot(0).default(0),
    ip: ip(),
    http_port: httpPort(),
    weight: weight().default(1),
    ...dryRun,
  }),
  output: z.object({
    domain: z.string(),
    pool: z.string(),
    server: serverEntry,
    replaced: z.boolean(),
    ...wouldChange,
  }),
  async run({ domain, slot, ip, http_port, weight }, context, call) {
    const { name } = parseDomain(domain);
    const server: Server = { ip: parseServerIp(ip), httpPort: http_port, weight, state: "ready" };
    checkSlot(slot, context.shape);
    const { result, preview } = await call.change((desired) => {
      const pool = poolOf(desired, parseDomain(domain), context.shape);
      const slots = desired.slotsOf(pool);
      const chosen = slot || freeSlot(slots, context.shape);
      if (chosen === undefined) throw poolIsFull(pool, slots);
      const before = slots.get(chosen) ?? null;
      return {
        changes: [{ kind: "server", pool, slot: chosen, before, after: server }],
        result: { pool, server: entryOf(pool, chosen, server), replaced: before !== null },
      };
    });
    const verb = result.replaced ? "Replaced" : "Added";
    return answer(
      `${verb} ${result.server.name}=${hostPort(result.server)} for ${name}.`,
      { domain: name, ...result },
      preview,
    );
  },
});

function poolIsFull(pool: string, slots: Slots): AgentError {
  return new AgentError(
    "CAPACITY",
    `${pool} has no free slot (${slots.size} of ${slots.size} used).`,
    {
      hint:
        "Remove a server, name the slot to replace, or raise HAPROXY_MAX_SLOTS together with haproxy.cfg.",
    },
  );
}

export const removeServer = tool({
  name: "haproxy_remove_server",
  title: "Remove a server",
  description:
    "Takes a server out of its slot at once; requests in flight are finished. Drain first " +
    "(haproxy_set_server_state, haproxy_wait_drain) to let sessions end in peace.",
  group: "servers",
  hints: CHANGES,
  input: z.strictObject({ domain: domain(), slot: slot(1), ...force, ...dryRun }),
  output: z.object({ domain: z.string(), server: serverEntry, ...wouldChange }),
  async run({ domain, slot, force }, context, call) {
    const { name } = parseDomain(domain);
    const { result, preview } = await call.change((desired) => {
      const { pool, server } = place(desired, { domain, slot }, context.shape);
      return {
        changes: [{ kind: "server", pool, slot, before: server, after: null }],
        result: { server: entryOf(pool, slot, server) },
        guard: force ? undefined : lastHealthyGuard(desired, pool, slot),
      };
    });
    const { server } = result;
    return answer(
      `Removed ${server.name}=${hostPort(server)} from ${name}.`,
      { domain: name, server },
      preview,
    );
  },
});

export const setServerState = tool({
  name: "haproxy_set_server_state",
  title: "Set a server's state",
  description:
    "Sets a server to ready, drain (finishes what it has) or maint. Name it by domain and slot, or by " +
    "backend and server.",
  group: "servers",
  hints: CHANGES,
  input: z.strictObject({ ...address, state: state(), ...force, ...dryRun }),
  output: z.object({
    server: z.string(),
    state: z.enum(SERVER_STATES),
    previous: z.enum(SERVER_STATES),
    ...wouldChange,
  }),
  async run({ state, force, ...address }, context, call) {
    const { result, preview } = await call.change((desired) => {
      const { pool, slot, name, server } = place(desired, address, context.shape);
      return {
        changes: [{ kind: "server", pool, slot, before: server, after: { ...server, state } }],
        result: { server: name, state, previous: server.state },
        guard: force || state === "ready" ? undefined : lastHealthyGuard(desired, pool, slot),
      };
    });
    return answer(`${result.server} is ${state} (before: ${result.previous}).`, result, preview);
  },
});

export const setServerWeight = tool({
  name: "haproxy_set_server_weight",
  title: "Set a server's weight",
  description:
    "Sets a server's share of the load, 0 to 256; 0 gives it no new requests. Name it by domain and " +
    "slot, or by backend and server.",
  group: "servers",
  hints: CHANGES,
  input: z.strictObject({ ...address, weight: weight(), ...dryRun }),
  output: z.object({ server: z.string(), weight: z.int(), previous: z.int(), ...wouldChange }),
  async run({ weight, ...address }, context, call) {
    const { result, preview } = await call.change((desired) => {
      const { pool, slot, name, server } = place(desired, address, context.shape);
      return {
        changes: [{ kind: "server", pool, slot, before: server, after: { ...server, weight } }],
        result: { server: name, weight, previous: server.weight },
      };
    });
    return answer(
      `${result.server} has weight ${weight} (before: ${result.previous}).`,
      result,
      preview,
    );
  },
});

export const setDomainState = tool({
  name: "haproxy_set_domain_state",
  title: "Set the state of all servers of a domain",
  description:
    "Sets every server of a domain's pool to ready, drain or maint, all or none. With drain or maint the " +
    "domain, and every other one that shares its pool, goes offline.",
  group: "servers",
  hints: CHANGES,
  input: z.strictObject({ domain: domain(), state: state(), ...confirm, ...dryRun }),
  output: z.object({ domain: z.string(), servers: z.array(serverEntry), ...wouldChange }),
  async run({ domain, state }, context, call) {
    const { name } = parseDomain(domain);
    const { result, preview } = await call.change((desired) => {
      const pool = poolOf(desired, parseDomain(domain), context.shape);
      const slots = byNumber(desired.slotsOf(pool));
      if (slots.length === 0) {
        throw new AgentError("NOT_FOUND", `${name} has no servers: ${pool} is empty.`, {
          hint: "haproxy_add_server adds one.",
        });
      }
      const changes = slots.map(([slot, server]): Change & { kind: "server" } => ({
        kind: "server",
        pool,
        slot,
        before: server,
        after: { ...server, state },
      }));
      return {
        changes,
        result: changes.map(({ slot, after }) => entryOf(pool, slot, after!)),
      };
    });
    const names = result.map((server) => server.name).join(", ");
    return answer(`${names} of ${name}: ${state}.`, { domain: name, servers: result }, preview);
  },
});
