/** Whom the agent's unit runs as, drop-ins included: root's doctor judges by that whose the files should be. */
import { AgentError } from "../../errors.ts";
import { findProgram, run } from "./program.ts";

const UNIT = "haproxy-mcp.service";
const LOOK_MS = 5_000;

export interface User {
  readonly uid: number;
  /** The group that it has at its log-in, and so in its unit. */
  readonly gid: number;
}

/**
 * Throws UNSUPPORTED where no systemd runs, or has no unit for this root; TIMEOUT.
 *
 * @param root the real one
 * @param path as in $PATH
 */
export async function unitUser(root: string, path: string, signal: AbortSignal): Promise<User> {
  const [systemctl, id] = ["systemctl", "id"].map((name) => findProgram(name, path));
  if (systemctl === undefined || id === undefined) throw unknown("there is no systemctl in PATH");
  const options = { signal, deadlineMs: LOOK_MS };
  const show = ["show", "--property=LoadState,User,Environment", UNIT];
  const { code, stdout } = await run(systemctl, show, options);
  if (code !== 0) throw unknown("no systemd answers");
  const property = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(stdout)?.[1] ?? "";
  if (property("LoadState") !== "loaded") throw unknown(`there is no ${UNIT}`);
  // A value with blanks has quotes around the whole assignment.
  const [, quoted, plain] =
    /(?:^| )(?:"HAPROXY_ROOT=([^"]+)"|HAPROXY_ROOT=([^ "]+))/.exec(property("Environment")) ?? [];
  const its = await Deno.realPath(quoted ?? plain ?? "").catch(() => undefined);
  if (its !== root) throw unknown(`${UNIT} is for another root`);
  const user = property("User");
  if (user === "") return { uid: 0, gid: 0 };
  if (!/^\w[\w.-]*\$?$/.test(user)) throw unknown(`${UNIT} names no user`);
  const answer = await run(id, [user], options);
  const [, uid, gid] = /^uid=(\d+)\b.* gid=(\d+)\b/.exec(answer.stdout) ?? [];
  if (uid === undefined) throw unknown(`${UNIT} names the user ${user}, who is not there`);
  return { uid: Number(uid), gid: Number(gid) };
}

const unknown = (why: string) =>
  new AgentError("UNSUPPORTED", `${why[0].toUpperCase()}${why.slice(1)}.`);
