/** All that doctor looks at. Each look stands alone: what could not be seen says why. */
import type { AcmeLook } from "../certificates/acme/acts.ts";
import type { Settings } from "../config.ts";
import type { Looked } from "../looked.ts";
import type { Access } from "../supervisor/host/access.ts";
import type { Mount } from "../supervisor/host/container.ts";
import type { DiskSpace } from "../supervisor/host/disk.ts";
import type { Installed } from "../supervisor/host/installed.ts";
import type { Tree } from "../supervisor/host/tree.ts";
import type { User } from "../supervisor/host/unit_user.ts";
import type { TokenFileSeen } from "../supervisor/token_file.ts";
import type { Examination } from "../../tools/examine.ts";
import type { ConfigCheck, HostStatus } from "../../tools/host_acts.ts";

/** Who listens where `serve` would. */
export interface ServeSeen {
  readonly who: "nobody" | "serve" | "stranger" | "silent";
  /** `/readyz`: HAProxy answers, and holds what disk says. */
  readonly ready: boolean;
  /** The host names that haproxy.cfg and the map lead to it. */
  readonly names: readonly string[];
  /** Those of them that it refuses, or would, by the settings. */
  readonly refused: readonly string[];
}

/** conf/haproxy-mcp.env beside the environment that doctor has. */
export interface SettingsFileSeen {
  readonly path: string;
  /** Variables that would be set otherwise by it. */
  readonly differing: readonly string[];
  /** Secrets in it that other users may read, by the file's mode. */
  readonly exposed: readonly string[];
  /** Why its settings can't be used. */
  readonly problem?: string;
}

export interface Seen {
  /** Paths as they are given: below the real root where there is one. */
  readonly settings: Settings;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whom doctor runs as. */
  readonly uid: number;
  /** The real path of HAPROXY_ROOT. */
  readonly root: Looked<string>;
  /** Symlinks that lead out of it. */
  readonly escapes: Looked<readonly string[]>;
  /** The root, and all below it but for what HAProxy keeps in run/. */
  readonly tree: Looked<Tree>;
  /** Whom the agent's unit runs as, where there is one for this root. */
  readonly unitUser: Looked<User>;
  /** What this user may do with what the agent has to read and write. */
  readonly access: Looked<readonly Access[]>;
  /** HAProxy's and the files' side, by the tools room. */
  readonly room: Looked<Examination>;
  /** haproxy.cfg's text. */
  readonly config: Looked<string>;
  /** Other files on this machine that the running HAProxy has read its maps' lines from, in the place of haproxy.cfg. */
  readonly otherConfigs: Looked<readonly string[]>;
  /** What HAProxy's own parser says of it. */
  readonly parser: Looked<ConfigCheck>;
  readonly host: Looked<HostStatus>;
  /** Of HAProxy's container. */
  readonly mounts: Looked<readonly (Mount & { readonly isFile: boolean })[]>;
  readonly installed: Looked<Installed>;
  readonly tokens: Looked<TokenFileSeen>;
  readonly settingsFile: Looked<SettingsFileSeen>;
  readonly disk: Looked<DiskSpace>;
  /** The soft limit of this process. */
  readonly openFiles: Looked<number>;
  readonly serve: Looked<ServeSeen>;
  /** The CA and the DNS provider; null: nobody means to order certificates here. */
  readonly acme: Looked<AcmeLook | null>;
}
