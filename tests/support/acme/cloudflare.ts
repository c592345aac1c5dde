/**
 * Stands in for the part of Cloudflare's API that DNS-01 needs, and publishes its TXT records through Pebble's DNS
 * server. Shapes, statuses and codes as Cloudflare documents them or its users report them:
 * https://developers.cloudflare.com/api/resources/dns/subresources/records/
 */
import { createHash } from "node:crypto";

export interface CloudflareRecord {
  readonly id: string;
  readonly zone: string;
  readonly type: string;
  readonly name: string;
  /** Of a TXT record: in quotation marks. */
  readonly content: string;
  readonly comment: string | null;
  readonly created_on: string;
}

export interface LoggedRequest {
  readonly method: string;
  /** Below the API's base, with its query. */
  readonly path: string;
  readonly status: number;
}

export interface Failure {
  readonly status: number;
  /** @default {"one error with this status for its code"} */
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Part of `METHOD /path?query`; undefined: whatever comes next. */
  readonly match?: string;
  /** How often. @default {1} */
  readonly times?: number;
  /** The request is carried out all the same, and only its answer is the failure. */
  readonly after?: boolean;
}

export interface CloudflareStandIn {
  /** For CF_API_URL. */
  readonly api: string;
  readonly token: string;
  readonly accountId: string;
  /** The id of a zone, for CF_Zone_ID. */
  zoneId(name: string): string;
  /** What there is now. */
  records(): CloudflareRecord[];
  /** A record as if somebody had made it before. */
  plant(
    record: { name: string; content: string; comment?: string | null; created_on: string },
  ): void;
  log(): LoggedRequest[];
  failNext(failure: Failure): void;
  /** Records are taken, and never published. */
  dropDns(on: boolean): void;
  /** Records are published this much later. */
  delayDns(ms: number): void;
}

export interface Publisher {
  setTxt(host: string, value: string): Promise<void>;
  clearTxt(host: string): Promise<void>;
}

export interface CloudflareOptions {
  readonly zones: readonly string[];
  readonly token: string;
  readonly dns: Publisher;
  readonly cert: string;
  readonly key: string;
}

const BASE = "/client/v4";

class ApiError extends Error {
  constructor(readonly status: number, readonly code: number, message: string) {
    super(message);
  }
}

const envelope = (result: unknown, more: Record<string, unknown> = {}) => ({
  result,
  success: true,
  errors: [],
  messages: [],
  ...more,
});
const refusal = (code: number, message: string) => ({
  result: null,
  success: false,
  errors: [{ code, message }],
  messages: [],
});
const listed = (items: unknown[]) =>
  envelope(items, {
    result_info: {
      page: 1,
      per_page: 100,
      count: items.length,
      total_count: items.length,
      total_pages: 1,
    },
  });

export function startCloudflare(
  { zones: names, token, dns, cert, key }: CloudflareOptions,
): CloudflareStandIn & AsyncDisposable {
  const accountId = hex("account");
  const zones = names.map((name) => ({
    id: hex(name),
    name,
    status: "active",
    paused: false,
    type: "full",
    account: { id: accountId, name: "rig" },
  }));
  const records = new Map<string, CloudflareRecord>();
  const requests: LoggedRequest[] = [];
  const failures: { failure: Failure; left: number }[] = [];
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let dropped = false, delay = 0, published = Promise.resolve();

  /** Pebble's DNS server can only clear a whole name: the values that remain are set anew. */
  function publish(name: string): Promise<void> {
    published = published.catch(() => {}).then(async () => {
      await dns.clearTxt(name);
      if (dropped) return;
      for (const record of records.values()) {
        if (record.type === "TXT" && record.name === name) {
          await dns.setTxt(name, bare(record.content));
        }
      }
    });
    return published;
  }
  async function publishSoon(name: string): Promise<void> {
    if (delay === 0) return await publish(name);
    const timer = setTimeout(() => {
      timers.delete(timer);
      void publish(name).catch(() => {});
    }, delay);
    timers.add(timer);
  }

  function authorize(header: string | null): void {
    if (header === null) {
      throw new ApiError(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers");
    }
    if (!/^Bearer [\w-]+$/.test(header)) {
      throw new ApiError(400, 6003, "Invalid request headers");
    }
    if (header !== `Bearer ${token}`) throw new ApiError(403, 9109, "Invalid access token");
  }

  function add(zone: { id: string; name: string }, body: string): CloudflareRecord {
    let wanted: Record<string, string>;
    try {
      wanted = JSON.parse(body);
    } catch {
      throw new ApiError(400, 9207, "Request body is invalid.");
    }
    const { name = "", type = "", content = "", comment = null } = wanted;
    if (!name || !type || !content) throw new ApiError(400, 9005, "Content for record is invalid.");
    const full = name === zone.name || name.endsWith(`.${zone.name}`)
      ? name
      : `${name}.${zone.name}`;
    for (const other of records.values()) {
      if (
        other.type === type && other.name === full && bare(other.content) === bare(content)
      ) throw new ApiError(400, 81058, "An identical record already exists.");
    }
    const created_on = new Date().toISOString();
    return put({ zone: zone.name, type, name: full, content, comment, created_on });
  }

  function put(fields: Omit<CloudflareRecord, "id">): CloudflareRecord {
    const content = fields.type === "TXT" ? `"${bare(fields.content)}"` : fields.content;
    const record = { ...fields, content, id: hex(crypto.randomUUID()) };
    records.set(record.id, record);
    return record;
  }

  async function route(method: string, url: URL, body: string): Promise<unknown> {
    if (!url.pathname.startsWith(`${BASE}/`)) {
      throw new ApiError(404, 7000, "No route for that URI");
    }
    const path = url.pathname.slice(BASE.length), query = url.searchParams;
    if (method === "GET" && path === "/user/tokens/verify") {
      return envelope({ id: hex("token"), status: "active" });
    }
    if (method === "GET" && path === "/zones") {
      const account = query.get("account.id") ?? accountId;
      return listed(
        zones.filter(({ name }) =>
          account === accountId && [null, name].includes(query.get("name"))
        ),
      );
    }
    const [, zoneId, , recordId] = path.match(/^\/zones\/([^/]+)(\/dns_records(?:\/([^/]+))?)?$/) ??
      [];
    const zone = zones.find(({ id }) => id === zoneId);
    if (!zone) {
      throw new ApiError(
        404,
        7003,
        `Could not route to ${path}, perhaps your object identifier is invalid?`,
      );
    }
    if (!path.includes("/dns_records")) return envelope(zone);
    if (method === "GET") {
      const name = query.get("name.exact") ?? query.get("name");
      const content = query.get("content.exact") ?? query.get("content");
      return listed(
        [...records.values()].filter((record) =>
          record.zone === zone.name && [null, record.type].includes(query.get("type")) &&
          [null, record.name].includes(name) &&
          (content === null || bare(content) === bare(record.content))
        ),
      );
    }
    if (method === "POST") {
      const record = add(zone, body);
      if (record.type === "TXT") await publishSoon(record.name);
      return envelope(record);
    }
    if (method === "DELETE") {
      const record = records.get(recordId ?? "");
      if (!record) throw new ApiError(404, 81044, "Record does not exist.");
      records.delete(record.id);
      if (record.type === "TXT") await publish(record.name);
      return envelope({ id: record.id });
    }
    throw new ApiError(405, 10000, "Method not allowed");
  }

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url), { method } = request;
    const at = `${method} ${url.pathname.slice(BASE.length)}${url.search}`;
    const failing = failures.find(({ failure, left }) =>
      left > 0 && at.includes(failure.match ?? "")
    );
    const body = await request.text();
    let status = 200, result: unknown, headers: Record<string, string> = {};
    try {
      if (failing) failing.left--;
      if (!failing || failing.failure.after) {
        authorize(request.headers.get("authorization"));
        result = await route(method, url, body);
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      status = error.status;
      result = refusal(error.code, error.message);
    }
    if (failing) {
      status = failing.failure.status;
      headers = failing.failure.headers ?? {};
      result = failing.failure.body ?? refusal(status, `Failure ${status} of the rig`);
    }
    requests.push({ method, path: at.slice(method.length + 1), status });
    return Response.json(result, { status, headers });
  }

  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert, key, onListen() {} },
    answer,
  );
  return {
    api: `https://localhost:${server.addr.port}${BASE}`,
    token,
    accountId,
    zoneId: hex,
    records: () => [...records.values()],
    plant({ name, content, comment = null, created_on }) {
      const zone = names.find((zone) => name.endsWith(zone)) ?? "";
      put({ zone, type: "TXT", name, content, comment, created_on });
    },
    log: () => [...requests],
    failNext: (failure) => void failures.push({ failure, left: failure.times ?? 1 }),
    dropDns(on) {
      dropped = on;
    },
    delayDns(ms) {
      delay = ms;
    },
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearTimeout(timer);
      await server.shutdown();
      await published.catch(() => {});
    },
  };
}

/** Without the quotation marks that Cloudflare puts round a TXT record's content. */
const bare = (content: string) => content.replaceAll('"', "");

/** 32 hexadecimal digits that belong to the text. */
const hex = (text: string) => createHash("md5").update(text).digest("hex");
