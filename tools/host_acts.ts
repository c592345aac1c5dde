/** What the tools room may ask of main: each act has a name and typed arguments. lib/supervisor/host does them. */
import type { ReloadWay } from "../lib/config.ts";
import type { OrderActs } from "../lib/issuance/source.ts";

/** A line of what HAProxy says about its configuration. */
export interface ConfigMessage {
  /** As HAProxy spells it; absent where HAProxy names no place. */
  readonly file?: string;
  readonly line?: number;
  readonly message: string;
}

export interface ConfigCheck {
  readonly valid: boolean;
  /** Whose parser it was: the program on this machine, or the one in the container. */
  readonly by: "binary" | "podman";
  readonly warnings: readonly ConfigMessage[];
  /** Not empty where the configuration is not valid. */
  readonly errors: readonly ConfigMessage[];
}

/** A reload that was carried out, or set off: podman and systemd only pass a signal on. */
export interface ReloadOrder {
  readonly way: ReloadWay;
  /** HAProxy has answered that the new worker serves. */
  readonly confirmed: boolean;
  readonly warnings: readonly ConfigMessage[];
  /** The pids of old workers that serve on beside the new one, where the way can tell. */
  readonly lingering?: readonly number[];
}

export interface HostStatus {
  readonly config_file: {
    readonly path: string;
    /** When it was written last, ISO 8601 UTC; absent where it can't be read. */
    readonly modified?: string;
    /** Why it can't be read. */
    readonly problem?: string;
  };
  readonly container: {
    readonly name: string;
    /** Podman's word (running, exited, …); `none`: no such container; `no podman`: none on this machine; `unknown`: podman can't say. */
    readonly status: string;
  };
  readonly reload: {
    /** How haproxy_reload acts; null where no way works. */
    readonly way: ReloadWay | null;
    /** Each way that was tried, in its order, and why it does not work. */
    readonly tried: readonly { readonly way: ReloadWay; readonly problem?: string }[];
    /** Who checks haproxy.cfg; null: nobody can. */
    readonly check: ConfigCheck["by"] | null;
  };
}

/** A server as a worker from before a reload knows it. */
export interface OldWorkersServer {
  /** As HAProxy spells it. */
  readonly ip: string;
  readonly port: number;
  /** On their way, websockets too. */
  readonly requests: number;
}

export interface HostActs extends OrderActs {
  /**
   * A terminated tools room of this process still holds the file lock: only the end of the process
   * frees it, so main ends it. Nothing may be written after this.
   */
  predecessorHoldsLock(args: { readonly room: number }): Promise<void>;
  /** HAProxy's own parser reads haproxy.cfg. Throws UNSUPPORTED where there is none to be had, TIMEOUT. */
  checkConfig(): Promise<ConfigCheck>;
  /**
   * Reloads HAProxy. Throws UNSUPPORTED where no way works, CONFIG_INVALID (details.errors: ConfigMessage[]) where
   * HAProxy refuses its configuration, RELOAD_FAILED for the rest (details.errors where HAProxy gave any). The old
   * worker serves on then, unless the master itself ended: from 3.1 on a configuration that is missing ends it, and
   * by the master CLI of 3.4 one with an unclosed quote or without a final LF too. So check first.
   */
  reload(): Promise<ReloadOrder>;
  /**
   * The servers of a pool at which workers from before a reload still have requests. `serving` is the pid of the worker
   * that answers on the Runtime API. Throws UNSUPPORTED where HAProxy has no master CLI, HAPROXY_UNREACHABLE or TIMEOUT
   * where that does not answer, VALIDATION.
   */
  requestsOfOldWorkers(
    args: { readonly pool: string; readonly serving: number },
  ): Promise<readonly OldWorkersServer[]>;
  /** haproxy.cfg as it is now, without what is secret in it. Throws NOT_FOUND where it can't be read. */
  readConfig(): Promise<string>;
  /** Never throws for what is missing on this machine: that is the answer. */
  hostStatus(): Promise<HostStatus>;
}
