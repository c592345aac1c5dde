/** How a room may come to its end in the middle of what it does. */
/// <reference lib="deno.worker" />

export const END_ROOM = {
  throws: () =>
    queueMicrotask(() => {
      throw new Error("thrown past every handler");
    }),
  loops() {
    for (;;);
  },
  exits: () => Deno.exit(0),
  closes: () => self.close(),
  "eats memory"() {
    const eaten: unknown[] = [];
    for (;;) eaten.push(new Uint8Array(1_000_000).fill(1), Array(10_000).fill(0).map(() => ({})));
  },
} as const;

export type RoomEnd = keyof typeof END_ROOM;
