/**
 * Which servers a pool had at which time, by what the caller of the tools knows: a server may take requests from the moment
 * it is asked for until the answer that it was taken out of service.
 *
 *     history.opens("one");
 *     await agent.call("add_server", …);
 *     …
 *     await agent.call("set_server_state", { …, state: "drain" });
 *     history.closed("one");
 */
import type { Asked } from "../load/tally.ts";

interface Service {
  readonly name: string;
  readonly from: number;
  until: number;
}

export interface PoolHistory {
  /** Before the call that puts it into service. */
  opens(name: string): void;
  /** After the answer that it takes nothing new. */
  closed(name: string): void;
  /** The servers that were in service at any time of the request's life. */
  of(request: Asked): readonly string[];
}

export function poolHistory(): PoolHistory {
  const services: Service[] = [];
  return {
    opens(name) {
      services.push({ name, from: Date.now(), until: Infinity });
    },
    closed(name) {
      const service = services.find((one) => one.name === name && one.until === Infinity);
      if (!service) throw new Error(`${name} was not in service`);
      service.until = Date.now();
    },
    of: ({ began, ended = Date.now() }) =>
      services.filter(({ from, until }) => from <= ended && began <= until)
        .map(({ name }) => name),
  };
}
