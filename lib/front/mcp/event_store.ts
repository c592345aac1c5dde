/** What a session's streams have sent, so that a client that lost its connection gets the rest (Last-Event-ID). */
import type {
  JSONRPCMessage,
  WebStandardStreamableHTTPServerTransportOptions,
} from "@modelcontextprotocol/server";

type EventStore = NonNullable<WebStandardStreamableHTTPServerTransportOptions["eventStore"]>;

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

interface StoredEvent {
  readonly id: string;
  readonly stream: string;
  readonly message: JSONRPCMessage;
  readonly length: number;
  readonly at: number;
}

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
  let last = 0;
  let characters = 0;

  function makeRoom(): void {
    const isTooMuch = () =>
      events.length > limits.events || characters > limits.characters ||
      (events.length > 0 && events[0].at < now() - limits.ageMs);
    while (isTooMuch()) characters -= events.shift()!.length;
  }

  return {
    storeEvent(stream, message) {
      const id = `${stream}_${++last}`;
      const { length } = JSON.stringify(message);
      events.push({ id, stream, message, length, at: now() });
      characters += length;
      makeRoom();
      return Promise.resolve(id);
    },
    getStreamIdForEventId(eventId) {
      // Known by its place alone: what came before it may be gone.
      const [, stream, number] = /^(.+)_(\d{1,15})$/.exec(eventId) ?? [];
      const isOurs = stream !== undefined && Number(number) >= 1 && Number(number) <= last &&
        events.some((event) => event.stream === stream);
      return Promise.resolve(isOurs ? stream : undefined);
    },
    async replayEventsAfter(lastEventId, { send }) {
      const stream = await this.getStreamIdForEventId!(lastEventId) ?? "";
      const after = Number(lastEventId.slice(stream.length + 1));
      for (const event of events.filter((each) => each.stream === stream)) {
        const isPriming = Object.keys(event.message).length === 0;
        const isLater = Number(event.id.slice(stream.length + 1)) > after;
        if (isLater && !isPriming) await send(event.id, event.message);
      }
      return stream;
    },
  };
}
