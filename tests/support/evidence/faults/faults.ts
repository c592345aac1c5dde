/** What may go wrong at HAProxy's end, each from a given exchange on. */
import { setTimeout as delay } from "node:timers/promises";
import type { Haproxy } from "../../haproxy.ts";
import type { CommandFate, Rules } from "./relay.ts";

export interface FaultParts {
  readonly haproxy: Haproxy;
  /** Where another HAProxy's Runtime API listens. */
  readonly stranger: number;
  /** The exchange at which it strikes: the n-th command or conversation, counted from 1. */
  readonly at: number;
  /** The same goes on for whoever comes next, until it is lifted; else it is over with this one. */
  readonly lasting: boolean;
}

export interface Fault extends Rules {
  /** It came to it. */
  readonly struck: boolean;
  /** All is well again. */
  lift(): Promise<void>;
}

export interface FaultKind {
  readonly strikes: "command" | "conversation";
  /** Whether it may be over by itself, may last, or both. */
  readonly lasts: readonly boolean[];
  /** It is there before the call, and long enough for a running agent to have seen it. */
  readonly early?: boolean;
  /** The call has to succeed all the same. */
  readonly harmless?: boolean;
  make(parts: FaultParts): Fault;
}

/** Below the deadline of a conversation. */
const SLOW_MS = 1_500;
/** `stats maxconn` of the configuration that `init` writes. */
const MAX_CONNECTIONS = 50;
/** A connection that is not answered within this waits in the queue. */
const QUEUED_MS = 300;

const nothing = () => Promise.resolve();

/** In the order of the table's columns. */
export const FAULTS = {
  /** SIGSTOP: what was sent waits in its socket and is carried out when it goes on. */
  "never answers": {
    strikes: "command",
    lasts: [true],
    make: ({ haproxy, at }) =>
      onceAt(at, async () => {
        const pid = await haproxy.workerPid();
        Deno.kill(pid, "SIGSTOP");
        return () => {
          try {
            Deno.kill(pid, "SIGCONT");
          } catch {
            // A reload has ended it.
          }
        };
      }),
  },
  "cut": {
    strikes: "command",
    lasts: [false, true],
    make: ({ at, lasting }) => from(at, lasting, "command", "cut" as const),
  },
  "closed": {
    strikes: "conversation",
    lasts: [false, true],
    make: ({ at, lasting }) => from(at, lasting, "conversation", "close" as const),
  },
  "slow": {
    strikes: "command",
    lasts: [false],
    harmless: true,
    make: ({ at }) =>
      onceAt(at, async () => {
        await delay(SLOW_MS);
        return () => {};
      }),
  },
  "connections taken": {
    strikes: "conversation",
    lasts: [true],
    make: ({ haproxy, at }): Fault => {
      const taken: Deno.TcpConn[] = [];
      let struck = false;
      return {
        get struck() {
          return struck;
        },
        async conversation(now): Promise<"pass"> {
          if (now >= at && !struck) {
            struck = true;
            await takeAll(haproxy, taken);
          }
          return "pass";
        },
        lift() {
          for (const connection of taken.splice(0)) connection.close();
          return nothing();
        },
      };
    },
  },
  /** A second HAProxy on the same port, to which the kernel deals every second connection. */
  "stranger": {
    strikes: "conversation",
    lasts: [true],
    early: true,
    make: ({ at, stranger }): Fault => {
      let struck = false;
      return {
        get struck() {
          return struck;
        },
        conversation(now) {
          if (now < at || (now - at) % 2 === 1) return "pass";
          struck = true;
          return { elsewhere: stranger };
        },
        lift: nothing,
      };
    },
  },
} as const satisfies Record<string, FaultKind>;

export type FaultName = keyof typeof FAULTS;

/** Strikes at the first command from `at` on. What `strike` answers takes it back. */
function onceAt(at: number, strike: () => Promise<() => void>): Fault {
  let struck: Promise<() => void> | undefined;
  return {
    get struck() {
      return struck !== undefined;
    },
    async command(now): Promise<CommandFate> {
      if (now >= at) await (struck ??= strike());
      return "pass";
    },
    async lift() {
      (await struck)?.();
    },
  };
}

function from<Fate>(
  at: number,
  lasting: boolean,
  what: "command" | "conversation",
  fate: Fate,
): Fault {
  let struck = false;
  return {
    get struck() {
      return struck;
    },
    [what]: (now: number) => {
      if (now < at || (struck && !lasting)) return "pass";
      struck = true;
      return fate;
    },
    lift: nothing,
  };
}

/** Others' connections, until the next one is no longer answered. */
async function takeAll(
  { options: { api } }: Haproxy,
  taken: Deno.TcpConn[],
): Promise<void> {
  for (let i = 0; i <= MAX_CONNECTIONS; i++) {
    const connection = await Deno.connect({ hostname: api.address, port: api.port });
    taken.push(connection);
    await connection.write(new TextEncoder().encode("prompt i\n"));
    const answered = connection.read(new Uint8Array(64)).catch(() => null);
    if (await Promise.race([answered, delay(QUEUED_MS, "queued")]) === "queued") return;
  }
  throw new Error(`more than ${MAX_CONNECTIONS} connections were answered`);
}
