/** What a body's messages say, before the SDK has read them. */
import type { RequestId } from "@modelcontextprotocol/server";

interface Message {
  readonly id?: RequestId;
  readonly method?: unknown;
  readonly params?: {
    readonly requestId?: RequestId;
    readonly notifications?: { readonly resourceSubscriptions?: unknown };
  };
}

const messagesOf = (body: unknown): readonly Message[] =>
  [body].flat().map((message) => (message ?? {}) as Message);

/** The ids of the requests in it. */
export const requestsIn = (body: unknown): readonly RequestId[] =>
  messagesOf(body).flatMap(({ id, method }) =>
    method !== undefined && id !== undefined ? [id] : []
  );

/** The requests that its notifications/cancelled name. */
export const cancelledIn = (body: unknown): readonly RequestId[] =>
  messagesOf(body).flatMap(({ method, params }) =>
    method === "notifications/cancelled" && params?.requestId !== undefined
      ? [params.requestId]
      : []
  );

/** The URIs that a subscriptions/listen names; undefined: it is another request. */
export function listenedIn(body: unknown): readonly string[] | undefined {
  const [message] = messagesOf(body);
  if (message?.method !== "subscriptions/listen") return undefined;
  const uris = message.params?.notifications?.resourceSubscriptions;
  return Array.isArray(uris) ? uris.filter((uri) => typeof uri === "string") : [];
}
