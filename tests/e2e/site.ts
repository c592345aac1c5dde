/** What most of these tests start with: HAProxy, `serve` beside it, and an MCP client over HTTP. */
import { type AgentOptions, type Serve, startServe } from "../support/agent.ts";
import { type Haproxy, type HaproxyOptions, startHaproxy } from "../support/haproxy.ts";
import type { Era, ToolCaller } from "../support/mcp_client.ts";
import { type Answer, request } from "../support/request.ts";

export interface SiteOptions extends HaproxyOptions, AgentOptions {
  readonly era?: Era;
}

export interface Site extends AsyncDisposable {
  readonly haproxy: Haproxy;
  readonly agent: Serve;
  readonly http: ToolCaller;
}

/** Two pools of three slots, if not told otherwise. */
export async function openSite(options: SiteOptions = {}): Promise<Site> {
  const { env, wrapper, era, ...wishes } = options;
  await using starting = new AsyncDisposableStack();
  const haproxy = starting.use(await startHaproxy({ pools: 2, slots: 3, ...wishes }));
  const agent = starting.use(await startServe(haproxy, { env, wrapper }));
  const http = await agent.connect(era);
  const site = starting.move();
  return { haproxy, agent, http, [Symbol.asyncDispose]: () => site.disposeAsync() };
}

/** A request through HAProxy's plain port. */
export function get(haproxy: Pick<Haproxy, "options">, host: string, path = "/"): Promise<Answer> {
  return request({ port: haproxy.options.httpPort, host, path });
}

/** The body that a request through HAProxy is answered with. */
export async function bodyOf(haproxy: Pick<Haproxy, "options">, host: string): Promise<string> {
  return (await get(haproxy, host)).body;
}
