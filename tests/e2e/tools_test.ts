/** Every tool through the executable's HTTP: what it does, what it refuses, and its schema. */
import assert from "node:assert/strict";
import * as z from "zod";
import type { ErrorCode } from "../../lib/errors.ts";
import { startAcmeRig } from "../support/acme/rig.ts";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { snapshot } from "../support/tools.ts";
import { bodyOf, openSite, type Site } from "./site.ts";

type Step = (site: Site) => Promise<void>;

/** A call that has to succeed with (at least) these fields. */
function does(name: string, args: object, fields: Readonly<Record<string, unknown>>): Step {
  return async ({ http }) => {
    const { tools } = await http.client.listTools();
    const listed = tools.find((tool) => tool.name === `haproxy_${name}`)!;
    const { structured, text } = await http.call(name, args);
    const schema = z.fromJSONSchema(listed.outputSchema as Parameters<typeof z.fromJSONSchema>[0]);
    assert.deepEqual(schema.parse(structured), structured);
    assert.notEqual(text, "");
    for (const [field, value] of Object.entries(fields)) {
      assert.deepEqual(structured[field], value, `${name}.${field}`);
    }
  };
}

/** A call that has to be refused, and leaves files and HAProxy as they were. */
function refuses(name: string, args: object, code: ErrorCode, words: RegExp): Step {
  return async ({ http, haproxy }) => {
    const before = await snapshot(haproxy);
    const error = await http.refused(name, args);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    assert.ok(error.hint);
    assert.deepEqual(await snapshot(haproxy), before);
  };
}

/** The body of a request for the domain. */
function serves(domain: string, body: string | RegExp): Step {
  return async ({ haproxy }) => {
    const answer = await bodyOf(haproxy, domain);
    typeof body === "string" ? assert.equal(answer, body) : assert.match(answer, body);
  };
}

/** The health and monitoring tools, with pool_1 in service. */
function looks(domain: string): readonly Step[] {
  return [
    refuses("health", { verbose: true }, "VALIDATION", /no parameter verbose/),
    does("health", {}, { status: "healthy" }),
    refuses("domain_health", { domain: "b.test" }, "NOT_FOUND", /b\.test/),
    does("domain_health", { domain }, { status: "healthy", healthy_count: 2, total_count: 2 }),
    refuses("get_server_health", { backend: "pool_9" }, "NOT_FOUND", /pool_9/),
    does("get_server_health", {}, {}),
    refuses("stats", { frontend: "fe_http" }, "VALIDATION", /no parameter frontend/),
    does("stats", {}, {}),
    refuses("backends", { backend: "pool_1" }, "VALIDATION", /no parameter backend/),
    does("backends", {}, { free_pools: 1 }),
    refuses("list_frontends", { name: "x" }, "VALIDATION", /no parameter name/),
    does("list_frontends", {}, {}),
    refuses("get_connections", { backend: "a b" }, "VALIDATION", /backend/),
    does("get_connections", { backend: "pool_1" }, { total: 0 }),
  ];
}

/** The configuration tools. They leave all as it is. */
const steers: readonly Step[] = [
  refuses("check_config", { file: "/etc/passwd" }, "VALIDATION", /no parameter file/),
  does("check_config", {}, { valid: true, errors: [] }),
  refuses("restore_state", { source: "state_file" }, "NOT_FOUND", /servers\.state/),
  refuses("save_state", { file: "x" }, "VALIDATION", /no parameter file/),
  does("save_state", {}, { servers: 2 }),
  does("restore_state", { source: "state_file" }, { changed: [] }),
  async (site) => {
    const file = site.haproxy.configFile;
    const good = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, `${good}    bogus\n`);
    await does("check_config", {}, { valid: false })(site);
    await refuses("reload", {}, "CONFIG_INVALID", /haproxy\.cfg:\d+: unknown keyword 'bogus'/)(
      site,
    );
    await Deno.writeTextFile(file, good);
  },
  does("reload", {}, {
    reloaded: true,
    way: "master",
    restored: { domains: 0, servers: 0, certificates: 0 },
  }),
];

/** The certificate tools, for the only zone that the DNS provider has. */
const certifies: readonly Step[] = [
  refuses("list_certs", { domain: "a.test" }, "VALIDATION", /no parameter domain/),
  does("list_certs", {}, { count: 1 }),
  refuses("cert_info", { domain: "a.test" }, "NOT_FOUND", /a\.test/),
  does("cert_info", { domain: "default" }, { loaded: true, renewed_by: "none" }),
  refuses("issue_cert", { domain: "*.a.test" }, "VALIDATION", /\*\.a\.test/),
  refuses("issue_cert", { domain: "b.test" }, "ACME", /No zone .* b\.test/),
  refuses("renew_cert", { domain: "a.test" }, "NOT_FOUND", /a\.test/),
  refuses("load_cert", { domain: "a.test" }, "NOT_FOUND", /a\.test\.pem/),
  does("issue_cert", { domain: "a.test", wildcard: true, dry_run: true }, { issued: false }),
  does("issue_cert", { domain: "a.test", wildcard: true }, {
    issued: true,
    loaded: true,
    renewed_by: "builtin",
    crt_list: ["a.test", "*.a.test"],
  }),
  does("issue_cert", { domain: "a.test", dry_run: true }, {
    names: ["a.test", "*.a.test"],
    would_change: { files: [], commands: [] },
  }),
  does("renew_cert", { domain: "a.test" }, { renewed: false }),
  does("renew_cert", { domain: "a.test", force: true }, {
    renewed: true,
    reason: "it was forced",
  }),
  refuses("renew_all_certs", { force: true }, "VALIDATION", /no parameter force/),
  does("renew_all_certs", {}, { renewed: [], failed: [] }),
  does("load_cert", { domain: "a.test" }, { loaded: true, replaced: true }),
  refuses("delete_cert", { domain: "default" }, "REFUSED", /default/),
  does("delete_cert", { domain: "a.test", dry_run: true }, { domain: "a.test" }),
  does("delete_cert", { domain: "a.test" }, { domain: "a.test" }),
];

function walk(one: number, two: number): readonly Step[] {
  const domain = "a.test";
  const first = { slot: 1, name: "pool_1_1", ip: "127.0.0.1", http_port: one };
  const second = { slot: 2, name: "pool_1_2", ip: "127.0.0.1", http_port: two };
  const ready = { weight: 1, state: "ready" };
  return [
    refuses("add_domain", { domain, ip: "300.1.1.1" }, "VALIDATION", /300\.1\.1\.1/),
    does("add_domain", { domain, ip: "127.0.0.1", http_port: one }, {
      pool: "pool_1",
      servers: [{ ...first, ...ready }],
    }),
    refuses("add_domain", { domain }, "CONFLICT", /^a\.test exists already, in pool_1\.$/),
    serves(domain, "one\n"),

    refuses("list_domains", { cursor: "%" }, "VALIDATION", /cursor/),
    does("list_domains", {}, { count: 1, next_cursor: "" }),

    refuses("list_servers", { domain: "b.test" }, "NOT_FOUND", /b\.test/),
    does("list_servers", { domain }, { pool: "pool_1" }),

    refuses("remove_server", { domain, slot: 1 }, "REFUSED", /last healthy server/),
    refuses("set_server_state", { domain, slot: 1, state: "maint" }, "REFUSED", /last healthy/),

    refuses("add_server", { domain, ip: "127.0.0.1", slot: 4 }, "VALIDATION", /slot 4/),
    does("add_server", { domain, ip: "127.0.0.1", http_port: two }, {
      server: { ...second, ...ready },
      replaced: false,
    }),

    refuses("set_server_weight", { domain, slot: 2, weight: 257 }, "VALIDATION", /weight/),
    does("set_server_weight", { domain, slot: 1, weight: 0 }, {
      server: "pool_1_1",
      weight: 0,
      previous: 1,
    }),
    serves(domain, "two\n"),
    does("set_server_weight", { domain, slot: 1, weight: 1 }, { previous: 0 }),

    refuses("wait_drain", { domain }, "VALIDATION", /no server in drain or maint/),
    refuses("set_server_state", { domain, slot: 3, state: "drain" }, "NOT_FOUND", /slot 3/),
    does("set_server_state", { backend: "pool_1", server: "pool_1_2", state: "drain" }, {
      server: "pool_1_2",
      state: "drain",
      previous: "ready",
    }),
    serves(domain, "one\n"),
    does("wait_drain", { domain, timeout: 5 }, { drained: true, remaining: [] }),

    refuses("remove_server", { domain, slot: 0 }, "VALIDATION", /slot/),
    does("remove_server", { domain, slot: 2 }, {
      server: { ...second, weight: 1, state: "drain" },
    }),

    refuses("add_servers", { domain, servers: "[{" }, "VALIDATION", /not JSON/),
    refuses(
      "add_servers",
      { domain, servers: [2, 2].map((slot) => ({ slot, ip: "127.0.0.1" })) },
      "VALIDATION",
      /slot 2 twice/,
    ),
    does(
      "add_servers",
      { domain, servers: JSON.stringify([{ ip: "127.0.0.1", http_port: two }]) },
      {
        added: [{ ...second, ...ready }],
        failed: [],
      },
    ),

    ...looks(domain),
    ...steers,
    ...certifies,

    refuses("set_domain_state", { domain: "b.test", state: "maint" }, "NOT_FOUND", /b\.test/),
    does("set_domain_state", { domain, state: "maint" }, {
      servers: [first, second].map((server) => ({ ...server, weight: 1, state: "maint" })),
    }),
    serves(domain, /503/),
    does("set_domain_state", { domain, state: "ready" }, { domain }),
    serves(domain, /^(one|two)\n$/),

    refuses("remove_domain", { domain: "b.test" }, "NOT_FOUND", /b\.test/),
    refuses("remove_domain", { domain, confirmed: true }, "VALIDATION", /no parameter confirmed/),
    does("remove_domain", { domain }, { pool: "pool_1", pool_released: true, servers_removed: 2 }),
  ];
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: each tool does its work, refuses what it must, and keeps to its schema`, async () => {
    await using one = startBackend("one");
    await using two = startBackend("two");
    await using rig = await startAcmeRig({ zones: ["a.test"] });
    await using site = await openSite({ version, env: rig.env });
    const called = new Set<string>();
    const { call } = site.http;
    const noting = {
      ...site.http,
      call: (name: string, args?: object) => (called.add(name), call(name, args)),
    };
    for (const step of walk(one.port, two.port)) await step({ ...site, http: noting });
    const { tools } = await site.http.client.listTools();
    assert.deepEqual(
      [...called].map((name) => `haproxy_${name}`).sort(),
      tools.map(({ name }) => name).sort(),
    );
    assert.equal(tools.length, 29);
  });
}
