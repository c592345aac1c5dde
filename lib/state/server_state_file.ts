/**
 * conf/servers.state, the file that HAProxy itself reads at start and reload (`server-state-file`), so that it comes up
 * right with no agent there. One bad line and HAProxy ignores the whole file, hence only checked values, LF, literals.
 */
import { serverName, type ServerState } from "../names/server.ts";
import { byNumber } from "./servers_file.ts";
import type { Slots } from "./model.ts";

/** `show servers state`, version 1 (management.txt): the columns that follow it up to srv_agent_port. */
const HEADER =
  "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight " +
  "srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health " +
  "srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord " +
  "srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port";

/** srv_admin_state: bit 4, "disabled in the config", must stand, or HAProxy leaves the slot in maintenance. */
const ADMIN_STATE: Readonly<Record<ServerState, number>> = { ready: 4, drain: 12, maint: 5 };

/** The name in `server-template … slot.invalid:1`: HAProxy applies an address only to the name it belongs to. */
export const PLACEHOLDER_NAME = "slot.invalid";

/** The file's text. Slots that are not in it start as empty placeholders. */
export function renderServerStateFile(pools: Iterable<readonly [string, Slots]>): string {
  const rows = byNumber(pools).flatMap(([pool, slots]) =>
    byNumber(slots).map(([slot, { ip, httpPort, weight, state }]) =>
      `0 ${pool} 0 ${serverName(pool, slot)} ${ip} ${state === "maint" ? 0 : 2} ${
        ADMIN_STATE[state]
      } ${weight} 1 0 1 0 3 6 0 0 0 ${PLACEHOLDER_NAME} ${httpPort} - 0 0 - - 0\n`
    )
  );
  return `1\n${HEADER}\n${rows.join("")}`;
}

/** HAProxy (3.0, 3.2 and 3.4, tried) takes no line with fewer. */
const LEAST_FIELDS = 20;

/**
 * Why HAProxy would not start with these servers by this text, as the end of a sentence; undefined: it would. Comments
 * do not count.
 */
export function serverStateFlaw(
  text: string,
  pools: Iterable<readonly [string, Slots]>,
): string | undefined {
  const [version, ...lines] = text.split("\n");
  const ignored = "HAProxy ignores the whole file";
  if (text.includes("\r")) return `it has the line ends of Windows, and so ${ignored}`;
  if (version !== "1") return `its first line is not 1, and so ${ignored}`;
  if (!text.endsWith("\n")) return `its last line has no end, and so ${ignored}`;
  const isComment = (line: string) => line.trim() === "" || line.trimStart().startsWith("#");
  const bad = lines.findIndex((line) => !isComment(line) && line.split(" ").length < LEAST_FIELDS);
  if (bad >= 0) return `line ${bad + 2} is no server's, and so ${ignored}`;
  const servers = (text: string) => text.split("\n").filter((line) => !isComment(line)).join("\n");
  return servers(text) === servers(renderServerStateFile(pools))
    ? undefined
    : "it is not what servers.json says, so HAProxy would start with other servers";
}
