/** Checks of what lies under HAPROXY_ROOT, and of the settings' own files. */
import type { Entry } from "../supervisor/host/tree.ts";
import { dirname } from "node:path";
import type { Files } from "../config.ts";
import { underRoot } from "./asked.ts";
import {
  type Check,
  counted,
  fault,
  faultOf,
  type Finding,
  named,
  need,
  ok,
  readable,
  Skip,
  skipped,
  warning,
} from "./check.ts";
import type { Seen } from "./seen.ts";

function root(seen: Seen): Finding {
  const { root } = seen.settings.files;
  if ("value" in seen.root) return ok(root);
  return fault(
    `HAPROXY_ROOT=${root} can't be used: ${seen.root.error.message}`,
    `Make it: haproxy-mcp init --root ${root}. Or let HAPROXY_ROOT name the folder that there is.`,
  );
}

function links(seen: Seen): Finding {
  if ("error" in seen.root) need(seen.escapes);
  if ("error" in seen.escapes) {
    return fault(
      `not all of the root can be looked through: ${seen.escapes.error.message}`,
      `serve and call do not start then. Run doctor as the agent's user; if it is that one: chown -R ${seen.uid} ` +
        seen.settings.files.root,
    );
  }
  const found = seen.escapes.value;
  if (found.length === 0) return ok("no link leads out of the root");
  return fault(
    `${found.length === 1 ? "a symlink leads" : "symlinks lead"} out of the root, or nowhere: ${
      named(found)
    }`,
    "Put plain files there, or point HAPROXY_ROOT and the file settings to where the files are: until then neither serve " +
      "nor call starts.",
  );
}

/** What the agent reads and writes, but for single certificates; nothing is made in the root itself. */
export function ownPaths({ root, ...files }: Files): readonly string[] {
  const paths = Object.values(files);
  return [...new Set([...paths.map(dirname), ...paths])].filter((path) => path !== root);
}

function access(seen: Seen): Finding {
  const denied = need(seen.access).filter(({ readable, writable }) => !readable || !writable);
  if (denied.length === 0) return owners(seen);
  const { path, readable } = denied[0];
  const more = denied.length > 1 ? `, nor ${counted(denied.length - 1, "other")}` : "";
  return fault(
    `user ${seen.uid} can't ${readable ? "write" : "read"} ${path}${more}`,
    seen.uid === 0
      ? "Is its file system mounted read-only, or the file immutable (lsattr)?"
      : `Run doctor as the agent's user; if it is that one: chown -R ${seen.uid} ${seen.settings.files.root}`,
  );
}

/** Whoever owns data/ is the agent: it can't write there what another user has put in place. */
function owners(seen: Seen): Finding {
  const { files } = seen.settings;
  const entries = need(seen.entries);
  const data = `${files.root}/data`;
  const agent = entries.find(({ path }) => path === data);
  if (agent === undefined || agent.uid === 0) return ok("all can be read and written");
  const own = new Set(ownPaths(files));
  const isOurs = ({ path }: Entry) =>
    own.has(path) || path.startsWith(`${files.certsFolder}/`) || path.startsWith(`${data}/`);
  const foreign = entries.filter((entry) =>
    isOurs(entry) && !entry.special && entry.uid !== agent.uid && !isShared(entry, agent)
  );
  if (foreign.length === 0) {
    return ok(`what the agent writes belongs to user ${agent.uid}, as data/ does`);
  }
  const names = foreign.map(({ path }) => path);
  return fault(
    `${named(foreign.map(({ path, uid }) => `${path} (user ${uid})`))} ${
      foreign.length === 1 ? "does" : "do"
    } not belong to user ${agent.uid}, as data/ does: an agent of that user can't write there`,
    `chown ${agent.uid} ${
      named(names, names.length, 3).replace(/ and .*/, " …").replaceAll(",", "")
    }` +
      "; where install.sh was used, it gives everything its owner once more.",
  );
}

const isShared = ({ gid, mode }: Entry, owner: Entry) =>
  gid === owner.gid && (mode & 0o060) === 0o060;

function strangers(seen: Seen): Finding {
  const open = need(seen.entries).filter(({ special, folder, mode }) =>
    // A sticky folder, such as /tmp, keeps files their owners'.
    !special && (mode & 0o002) !== 0 && !(folder && (mode & 0o1000) !== 0)
  );
  if (open.length === 0) return ok("nobody else may write under the root");
  const names = open.map(({ path }) => path);
  return fault(
    `every user of this machine may write ${named(names)}, and so decide what HAProxy serves`,
    `chmod o-w ${named(names, names.length, 1).replace(/ and .*/, " …")}`,
  );
}

function desired(seen: Seen): Finding {
  const read = readable(need(underRoot(seen, "files")).desired);
  if ("error" in read) return faultOf(read.error);
  const { domains, servers } = read.value;
  return ok(`${counted(domains, "line")} in the map, ${counted(servers, "server")}`);
}

function serverState(seen: Seen): Finding {
  const { serverState } = seen.settings.files;
  const files = need(underRoot(seen, "files"));
  if ("error" in files.desired) {
    throw new Skip("nobody knows what should be in it (see desired-state)");
  }
  const flaw = readable(files.serverStateFlaw);
  if ("error" in flaw) return faultOf(flaw.error);
  if (flaw.value === null) return ok(`${serverState} is what servers.json says`);
  return fault(
    `${serverState}: ${flaw.value}`,
    "Write it anew: haproxy-mcp call haproxy_restore_state.",
  );
}

function journal(seen: Seen): Finding {
  const unfinished = readable(need(underRoot(seen, "files")).unfinished);
  if ("error" in unfinished) return faultOf(unfinished.error);
  const tools = unfinished.value;
  if (tools.length === 0) return ok("no change was cut off");
  return warning(
    `${counted(tools.length, "change")} was cut off and not finished yet: ${named(tools)}`
      .replace(/^(\d\d+|[2-9]) changes was/, "$1 changes were"),
    "Whoever works on the files next finishes it, once HAProxy answers: haproxy-mcp call haproxy_restore_state, or serve.",
  );
}

function locks(seen: Seen): Finding {
  const held = need(need(underRoot(seen, "files")).heldLocks);
  if (held.length === 0) return ok("no lock is held for long");
  return fault(
    held.map(({ message }) => message).join(" "),
    "Changes wait for whoever holds it. If that process hangs, end it: the lock goes with it. " +
      `Who has it open: fuser ${seen.settings.files.lock}`,
  );
}

function tokenFile(seen: Seen): Finding {
  const { tokenFile } = seen.settings;
  if ("error" in seen.tokens) {
    return fault(
      seen.tokens.error.message,
      `A file of MCP_TOKEN=… lines, for its owner alone: chmod 600 ${tokenFile}. Moved away, serve makes a new one.`,
    );
  }
  return seen.tokens.value === "missing"
    ? skipped(`there is no ${tokenFile}: the first serve makes it`)
    : ok(`${tokenFile} can be used, and read by its owner alone`);
}

function settingsFile(seen: Seen): Finding {
  const { path, differing, exposed, problem } = need(seen.settingsFile);
  if (exposed.length > 0) {
    return fault(`other users may read ${named(exposed)} in ${path}`, `chmod 600 ${path}`);
  }
  if (problem !== undefined) {
    return fault(
      `${path} can't be used: ${problem}`,
      "Correct it: the unit would not start with it.",
    );
  }
  if (differing.length === 0) return ok(`doctor has the settings of ${path}`);
  return warning(
    `${path} sets ${
      named(differing)
    } otherwise: doctor looked with other settings than the unit has`,
    "The environment here sets them too, and wins; or the file belongs to another user, and is not trusted: " +
      `chown root ${path}`,
  );
}

export const FILES_CHECKS: readonly Check[] = [
  {
    name: "root",
    group: "files",
    looksFor: "HAPROXY_ROOT, a folder that is there",
    judge: root,
  },
  {
    name: "links",
    group: "files",
    looksFor: "symlinks that lead out of the root, with which the agent does not start",
    judge: links,
  },
  {
    name: "access",
    group: "files",
    looksFor:
      "files and folders that the agent can't read and write, or that belong to another user than the root",
    judge: access,
  },
  {
    name: "strangers",
    group: "files",
    looksFor: "files and folders that every user of the machine may write",
    judge: strangers,
  },
  {
    name: "desired-state",
    group: "files",
    looksFor: "broken lines of domains.map, servers.json and the journal, or one of them lost",
    judge: desired,
  },
  {
    name: "servers-state",
    group: "files",
    looksFor:
      "a servers.state with which HAProxy would start with other servers, or ignore it for one bad line",
    judge: serverState,
  },
  {
    name: "journal",
    group: "files",
    looksFor: "changes that were cut off and wait for being finished",
    judge: journal,
  },
  {
    name: "locks",
    group: "files",
    looksFor: "a lock that somebody holds for longer than a change takes",
    judge: locks,
  },
  {
    name: "token-file",
    group: "files",
    looksFor: "a token file that can be used, mode 0600",
    judge: tokenFile,
  },
  {
    name: "settings-file",
    group: "files",
    looksFor:
      "settings of conf/haproxy-mcp.env that doctor's own environment overrides, or that can't be used",
    judge: settingsFile,
  },
];
