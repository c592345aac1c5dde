/** Every route against everybody who may come to it: the status of each, in the executable. */
import assert from "node:assert/strict";
import { request as send } from "node:http";
import { INITIALIZE } from "../front/raw.ts";
import { type Serve, startServe } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { startHaproxy } from "../support/haproxy.ts";

const READER = "a-token-that-only-reads";
interface Sender {
  readonly token?: "full" | "read" | "wrong";
  readonly headers?: Readonly<Record<string, string>>;
  /** Comes from a trusted network: to an agent that trusts loopback. */
  readonly trusted?: boolean;
}

const FORWARDED = {
  "X-Forwarded-For": "100.64.0.1",
  "Forwarded": "for=100.64.0.1",
  "X-Real-IP": "100.64.0.1",
};
const EVIL_HOST = { Host: "evil.example" };
const EVIL_ORIGIN = { Origin: "https://evil.example" };

const SENDERS = {
  "no token": {},
  "wrong": { token: "wrong" },
  "read-only": { token: "read" },
  "full": { token: "full" },
  "trusted": { trusted: true },
  "forged": { headers: FORWARDED },
  "wrong Host": { token: "full", headers: EVIL_HOST },
  "wrong Origin": { token: "full", headers: EVIL_ORIGIN },
  "trusted, wrong Host": { trusted: true, headers: EVIL_HOST },
  "trusted, wrong Origin": { trusted: true, headers: EVIL_ORIGIN },
  "trusted, wrong token": { trusted: true, token: "wrong" },
} as const satisfies Record<string, Sender>;

type Row = readonly [route: string, ...statuses: number[]];

/** In the order of SENDERS. */
const TABLE: readonly Row[] = [
  //                           none wrong read full trust forged Host Origin t.Host t.Origin t.wrong
  ["GET /healthz", /*      */ 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200],
  ["GET /readyz", /*       */ 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200],
  ["POST /mcp", /*         */ 401, 401, 200, 200, 200, 401, 403, 403, 403, 403, 200],
  ["GET /mcp", /*          */ 401, 401, 400, 400, 400, 401, 403, 403, 403, 403, 400],
  ["DELETE /mcp", /*       */ 401, 401, 400, 400, 400, 401, 403, 403, 403, 403, 400],
  ["PUT /mcp", /*          */ 401, 401, 405, 405, 405, 401, 403, 403, 403, 403, 405],
  ["OPTIONS /mcp", /*      */ 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403],
  ["GET /metrics", /*      */ 401, 401, 200, 200, 200, 401, 403, 403, 403, 403, 200],
  ["GET /", /*             */ 401, 401, 200, 200, 200, 401, 403, 403, 403, 403, 200],
  ["GET /nothing", /*      */ 401, 401, 404, 404, 404, 401, 403, 403, 403, 403, 404],
  ["GET /mcp/../metrics", /**/ 401, 401, 404, 404, 404, 401, 403, 403, 403, 403, 404],
  ["GET //mcp", /*         */ 401, 401, 404, 404, 404, 401, 403, 403, 403, 403, 404],
];
const WELL_KNOWN = "GET /.well-known/oauth-protected-resource";
const WITHOUT_OAUTH: Row = [WELL_KNOWN, 401, 401, 404, 404, 404, 401, 403, 403, 403, 403, 404];
const WITH_OAUTH: Row = [WELL_KNOWN, 200, 200, 200, 200, 200, 200, 403, 403, 403, 403, 200];

const OAUTH = {
  // Nobody is there: the table's tokens are no JWTs.
  MCP_OAUTH_ISSUER: "http://127.0.0.1:1",
  MCP_OAUTH_AUDIENCE: "https://mcp.example.com/mcp",
};

function statusOf(agent: Serve, route: string, { token, headers }: Sender): Promise<number> {
  const [method, path] = route.split(" ");
  const tokens = { full: agent.token, read: READER, wrong: "wrong" };
  return new Promise((resolve, reject) => {
    const request = send({
      host: "127.0.0.1",
      port: agent.port,
      method,
      path,
      agent: false,
      headers: {
        Host: `127.0.0.1:${agent.port}`,
        Accept: "application/json, text/event-stream",
        "Content-Type": "application/json",
        ...(token && { Authorization: `Bearer ${tokens[token]}` }),
        ...headers,
      },
    }, (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    request.on("error", reject);
    request.end(method === "POST" ? JSON.stringify(INITIALIZE) : undefined);
  });
}

/** What each sender gets. */
async function statusesOf(strict: Serve, trustful: Serve, route: string) {
  const statuses = Object.entries<Sender>(SENDERS).map(async ([name, sender]) => {
    const status = await statusOf(sender.trusted ? trustful : strict, route, sender);
    // After many wrong tokens the refusal is another one.
    return [name, name === "wrong" && status === 429 ? 401 : status] as const;
  });
  return Object.fromEntries(await Promise.all(statuses));
}

for (const oauth of [false, true]) {
  Deno.test(`the authorisation table, ${oauth ? "with" : "without"} OAuth`, async (t) => {
    await using haproxy = await startHaproxy({ pools: 1, slots: 1 });

    const env = { MCP_RATE: "0", ...(oauth ? OAUTH : {}) };
    const trusting = { ...env, MCP_TRUSTED_NETWORKS: "127.0.0.0/8,::1/128" };
    await using strict = await startServe(haproxy, { env });
    await using trustful = await startServe(haproxy, { env: trusting });
    await Deno.writeTextFile(
      `${haproxy.root}/conf/mcp-token.env`,
      `MCP_TOKEN=${strict.token}\nMCP_READONLY_TOKEN=${READER}\n`,
    );
    for (const agent of [strict, trustful]) {
      await eventually(() => agent.log().includes("read again"));
    }
    const rows = [...TABLE, oauth ? WITH_OAUTH : WITHOUT_OAUTH];
    // All at once: each wrong token is answered later than the one before it.
    const seen = await Promise.all(rows.map(([route]) => statusesOf(strict, trustful, route)));
    for (const [i, [route, ...expected]] of rows.entries()) {
      await t.step(route, () => {
        const names = Object.keys(SENDERS);
        assert.deepEqual(seen[i], Object.fromEntries(names.map((name, i) => [name, expected[i]])));
      });
    }
  });
}
