/** What the tools room may ask of main: each act has a name and typed arguments. lib/supervisor/host does them. */

export interface HostActs {
  /**
   * A terminated tools room of this process still holds the file lock: only the end of the process
   * frees it, so main ends it. Nothing may be written after this.
   */
  predecessorHoldsLock(args: { readonly room: number }): Promise<void>;
}
