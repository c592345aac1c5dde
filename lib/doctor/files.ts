/** Checks of what lies under HAPROXY_ROOT, and of the settings' own files. */
import { counted } from "../counted.ts";
import { underRoot } from "./asked.ts";
import {
  type Check,
  fault,
  faultOf,
  type Finding,
  named,
  need,
  ok,
  readable,
  Skip,
  warning,
} from "./check.ts";
import { access, INSTALLED, strangers, tokenFile } from "./rights.ts";
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
      `serve and call do not start then. Run doctor as the agent's user; if it is that one, chown ${seen.uid} what is named; ` +
        INSTALLED,
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
  const files = need(underRoot(seen, "files"));
  const restore = readable(files.restoreCutOff);
  if ("error" in restore) return faultOf(restore.error);
  if (restore.value) {
    return fault(
      "a restore was cut off: some files are the backup's, others still those of before, and HAProxy would start with both",
      "The next call finishes it: haproxy-mcp call haproxy_list_domains. Then bring HAProxy in line: haproxy-mcp call " +
        "haproxy_restore_state, or start it where it is down.",
    );
  }
  const unfinished = readable(files.unfinished);
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
      "files and folders that the agent can't read and write, or that belong to another user than the agent's",
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
    looksFor: "changes and restores that were cut off and wait for being finished",
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
    looksFor: "a token file that the agent can use, mode 0600",
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
