/** What a tools room would tell the status page, and the page as a test asks for it. */
import type { BackendView, Overview, ServerView } from "../../lib/overview.ts";
import { openFixtureTools } from "./fixtures.ts";
import { openRig, type RigOptions } from "./rig.ts";

export const AT = Date.parse("2026-11-27T09:15:02Z");

export const server = (changed: Partial<ServerView> = {}): ServerView => ({
  name: "pool_1_1",
  address: "10.0.0.1:80",
  status: "UP",
  healthy: true,
  state: "ready",
  check: "L7OK/200",
  connections: 3,
  queued: 0,
  weight: 1,
  ...changed,
});

export const backend = (changed: Partial<BackendView> = {}): BackendView => ({
  name: "pool_1",
  domains: ["a.test"],
  domainCount: 1,
  standing: "up",
  healthy: 1,
  servers: [server()],
  ...changed,
});

export function overview(changed: Partial<Overview> = {}): Overview {
  return {
    at: AT,
    haproxy: {
      address: "127.0.0.1:9999",
      process: {
        version: "3.2.9",
        pid: 77,
        startedAt: AT - 3_600_000,
        connections: 12,
        connectionLimit: 2_000,
      },
    },
    domains: 1,
    servers: 1,
    healthy: 1,
    troubles: [],
    troubleCount: 0,
    backends: { list: [backend()], count: 1, page: 1, pages: 1 },
    traffic: [],
    certificates: { list: [], count: 0 },
    sync: { known: true, differences: [], count: 0, problems: [] },
    changes: [],
    ...changed,
  };
}

/** The rig with a tools room that answers this, whatever it is at the time. */
export async function openStatusRig(
  look: (question: { readonly search: string; readonly page: number }) => unknown = () =>
    overview(),
  options: RigOptions = {},
) {
  const tools = openFixtureTools("first", { overview: look });
  tools.serve();
  const rig = await openRig({ ...options, tools });
  return Object.assign(rig, { page: rig.url.replace("/mcp", "/") });
}

/** As a browser sends it. */
export const signIn = (
  url: string,
  token: string,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(url, {
    method: "POST",
    redirect: "manual",
    headers: { Origin: new URL(url).origin, ...headers },
    body: new URLSearchParams({ token }),
  });

/** What the browser would send from then on. */
export function cookieIn(answer: Response): string {
  return answer.headers.getSetCookie().map((each) => each.split(";")[0]).join("; ");
}
