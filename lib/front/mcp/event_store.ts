/** What a session's streams have sent, so that a client that lost its connection gets the rest (Last-Event-ID). */
import { AsyncLocalStorage } from "node:async_hooks";
import type {
  JSONRPCMessage,
  RequestId,
  WebStandardStreamableHTTPServerTransportOptions,
} from "@modelcontextprotocol/server";

export interface EventStoreLimits {
  readonly events: number;
  /** Of all events together, as JSON. */
  readonly characters: number;
  readonly ageMs: number;
}

/** A client that does not come back within minutes starts anew; a thousand sessions have to fit into memory. */
export const EVENT_LIMITS: EventStoreLimits = {
  events: 200,
  characters: 256 * 1024,
  ageMs: 5 * 60_000,
};

export interface EventStore
  extends Required<NonNullable<WebStandardStreamableHTTPServerTransportOptions["eventStore"]>> {
  /** What `act` sends is sent for these requests: their stream is known by it. They have no answer yet. */
  within<T>(requests: readonly RequestId[], act: () => T): T;
  /** One of these that has no answer yet, or stands here twice: another request of its id would get it, or none. */
  inUse(requests: readonly RequestId[]): RequestId | undefined;
  /** These were refused before they had a stream. */
  forget(requests: readonly RequestId[]): void;
  /** The request was cancelled: its stream has no more to say. */
  close(request: RequestId): void;
  /** True where the stream of this event was closed so: it need not be resumed. */
  isClosed(eventId: string): boolean;
}

interface StoredEvent {
  readonly id: string;
  readonly stream: string;
  readonly message: JSONRPCMessage;
  readonly length: number;
  readonly at: number;
}

/** The SDK's name of a session's GET stream. */
const STANDALONE = "_GET_stream";
/** Streams of cancelled calls that are remembered. */
const MAX_CLOSED = 100;

const requestsOf = new AsyncLocalStorage<readonly RequestId[]>();

/**
 * One a session: ids of other sessions are unknown here.
 *
 * @param now milliseconds
 */
export function createEventStore(
  limits: EventStoreLimits = EVENT_LIMITS,
  now: () => number = () => performance.now(),
): EventStore {
  const events: StoredEvent[] = [];
  const streams = new Map<RequestId, string>();
  const closed = new Set<string>();
  /** By the id of each request that has no answer yet: those of its stream that have none, its own included. */
  const unanswered = new Map<RequestId, Set<RequestId>>();
  let last = 0;
  let characters = 0;
  /** Of the events, those of the GET stream. */
  let notices = 0;

  function drop(index: number): void {
    const [{ stream, length }] = events.splice(index, 1);
    characters -= length;
    if (stream === STANDALONE) notices--;
  }

  function makeRoom(): void {
    while (events.length > 0 && events[0].at < now() - limits.ageMs) drop(0);
    while (events.length > limits.events || characters > limits.characters) {
      // What is told of changes comes again with the next one; a call's result does not.
      drop(notices > 0 ? events.findIndex(({ stream }) => stream === STANDALONE) : 0);
    }
  }

  /** A stream ends with the last answer; until then all its ids are in use. */
  function settle(request: RequestId): void {
    const open = unanswered.get(request);
    open?.delete(request);
    if (open?.size !== 0) return;
    for (const [id, each] of unanswered) if (each === open) unanswered.delete(id);
  }

  /** Known by its place alone: what came before it may be gone. */
  function streamOf(eventId: string): string | undefined {
    const [, stream, number] = /^(.+)_(\d{1,15})$/.exec(eventId) ?? [];
    return Number(number) >= 1 && Number(number) <= last ? stream : undefined;
  }

  const store: EventStore = {
    storeEvent(stream, message) {
      const id = `${stream}_${++last}`;
      if (stream === STANDALONE) notices++;
      else {
        for (const request of requestsOf.getStore() ?? []) streams.set(request, stream);
      }
      if (!("method" in message) && "id" in message) {
        streams.delete(message.id!);
        settle(message.id!);
      }
      const { length } = JSON.stringify(message);
      events.push({ id, stream, message, length, at: now() });
      characters += length;
      makeRoom();
      return Promise.resolve(id);
    },
    getStreamIdForEventId(eventId) {
      makeRoom();
      const stream = streamOf(eventId);
      return Promise.resolve(events.some((event) => event.stream === stream) ? stream : undefined);
    },
    async replayEventsAfter(lastEventId, { send }) {
      const stream = await store.getStreamIdForEventId(lastEventId) ?? "";
      const after = Number(lastEventId.slice(stream.length + 1));
      for (const event of events.filter((each) => each.stream === stream)) {
        const isPriming = Object.keys(event.message).length === 0;
        const isLater = Number(event.id.slice(stream.length + 1)) > after;
        if (isLater && !isPriming) await send(event.id, event.message);
      }
      return stream;
    },
    within(requests, act) {
      const open = new Set(requests);
      for (const id of requests) unanswered.set(id, open);
      return requestsOf.run(requests, act);
    },
    inUse: (requests) => requests.find((id, i) => unanswered.has(id) || requests.indexOf(id) !== i),
    forget(requests) {
      for (const id of requests) unanswered.delete(id);
    },
    close(request) {
      settle(request);
      const stream = streams.get(request);
      if (stream === undefined) return;
      streams.delete(request);
      closed.add(stream);
      const [oldest] = closed;
      if (closed.size > MAX_CLOSED) closed.delete(oldest);
    },
    isClosed: (eventId) => closed.has(streamOf(eventId) ?? ""),
  };
  return store;
}
