/** What a process of ours answers to its starter: part of the contract. */
export const EXIT = {
  done: 0,
  /** Also that doctor found a fault. */
  toolError: 1,
  usage: 2,
  haproxyUnreachable: 3,
  settings: 4,
  /** EX_SOFTWARE of sysexits.h: systemd starts `serve` again. */
  internal: 70,
} as const;
export type ExitCode = typeof EXIT[keyof typeof EXIT];
