/** Whose the files under the root are, and who may read and write them. */
import { counted } from "../counted.ts";
import type { Entry } from "../supervisor/host/tree.ts";
import type { User } from "../supervisor/host/unit_user.ts";
import { dirname } from "node:path";
import type { Files } from "../config.ts";
import { fault, type Finding, named, need, nothingIn, ok, skipped, words } from "./check.ts";
import type { Seen } from "./seen.ts";

/** Behind a remedy that gives single files to the agent. */
export const INSTALLED = "where install.sh was used, run again it gives everything its owner.";

/** What the agent reads and writes, but for single certificates; nothing is made in the root itself. */
export function ownPaths({ root, ...files }: Files): readonly string[] {
  const paths = Object.values(files);
  return [...new Set([...paths.map(dirname), ...paths])].filter((path) => path !== root);
}

export function access(seen: Seen): Finding {
  const denied = need(seen.access).filter(({ readable, writable }) => !readable || !writable);
  if (denied.length === 0) return owners(seen);
  const { path, readable } = denied[0];
  const more = denied.length > 1 ? `, nor ${counted(denied.length - 1, "other")}` : "";
  return fault(
    `user ${seen.uid} can't ${readable ? "write" : "read"} ${path}${more}`,
    seen.uid === 0
      ? "Is its file system mounted read-only, or the file immutable (lsattr)?"
      : `Run doctor as the agent's user; if it is that one: chown ${seen.uid} ${
        words(denied.map(({ path }) => path))
      }; ${INSTALLED}`,
  );
}

interface Agent extends User {
  /** By what it is known. */
  readonly by: string;
}

/** Whom the unit runs as, else whoever owns data/. Undefined: root, who may do all, or nobody knows. */
function agentUser({ unitUser, tree, settings: { files } }: Seen): Agent | undefined {
  const data = `${files.root}/data`;
  const owner = "value" in tree ? tree.value.entries.find(({ path }) => path === data) : undefined;
  const agent = "value" in unitUser
    ? { ...unitUser.value, by: "whom haproxy-mcp.service runs as" }
    : owner && { ...owner, by: "as data/ does" };
  return agent?.uid === 0 ? undefined : agent;
}

/** The agent can't write what another user has put in place. */
function owners(seen: Seen): Finding {
  const { files } = seen.settings;
  const tree = need(seen.tree);
  const agent = agentUser(seen);
  if (agent === undefined) return ok("all can be read and written");
  const { uid, by } = agent;
  const own = new Set(ownPaths(files));
  const isOurs = ({ path }: Entry) =>
    own.has(path) || path.startsWith(`${files.certsFolder}/`) ||
    path.startsWith(`${files.root}/data/`);
  const foreign = tree.entries.filter((entry) =>
    isOurs(entry) && !entry.special && entry.uid !== uid && !isShared(entry, agent)
  );
  if (foreign.length === 0) {
    return nothingIn(
      tree,
      `what the agent writes belongs to user ${uid}, ${by}`,
      `find ${files.root}/data ${files.certsFolder} ! -user ${uid}`,
    );
  }
  return fault(
    `${named(foreign.map(({ path, uid }) => `${path} (user ${uid})`))} ${
      foreign.length === 1 ? "does" : "do"
    } not belong to user ${uid}, ${by}: an agent of that user can't write there`,
    `chown ${uid} ${words(foreign.map(({ path }) => path))}; ${INSTALLED}`,
  );
}

const isShared = ({ gid, mode }: Entry, agent: Agent) =>
  gid === agent.gid && (mode & 0o060) === 0o060;

export function strangers(seen: Seen): Finding {
  const tree = need(seen.tree);
  const open = tree.entries.filter(({ special, folder, mode }) =>
    // A sticky folder, such as /tmp, keeps files their owners'.
    !special && (mode & 0o002) !== 0 && !(folder && (mode & 0o1000) !== 0)
  );
  if (open.length === 0) {
    return nothingIn(
      tree,
      "nobody else may write under the root",
      `find ${seen.settings.files.root} ! -type l -perm -002`,
    );
  }
  const names = open.map(({ path }) => path);
  return fault(
    `every user of this machine may write ${named(names)}, and so decide what HAProxy serves`,
    `chmod o-w ${words(names, 1)}`,
  );
}

export function tokenFile(seen: Seen): Finding {
  const { tokenFile } = seen.settings;
  const { tokens } = seen;
  if ("error" in tokens) {
    return fault(
      tokens.error.message,
      `A file of MCP_TOKEN=… lines that belongs to the agent's user, for that one alone: chmod 600 ${tokenFile}. Moved away, ` +
        "serve makes a new one.",
    );
  }
  if (tokens.value === "missing") {
    return skipped(`there is no ${tokenFile}: the first serve makes it`);
  }
  const { uid } = tokens.value;
  const agent = agentUser(seen);
  if (agent !== undefined && uid !== agent.uid) {
    return fault(
      `${tokenFile} belongs to user ${uid}, who alone may read it, and not to user ${agent.uid}, ${agent.by}: an agent of that ` +
        "user does not start",
      `chown ${agent.uid} ${tokenFile}; ${INSTALLED}`,
    );
  }
  return ok(`${tokenFile} can be used, and read by its owner alone`);
}
