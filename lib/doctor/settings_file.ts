/** conf/haproxy-mcp.env, from which a unit has its settings (systemd.exec, EnvironmentFile), beside those that doctor has. */
import { readSettings, type Settings, type Variable, VARIABLES } from "../config.ts";
import { SECRET_VARIABLES } from "../config/acme.ts";
import type { Environment } from "../config/reader.ts";
import { parseEnvironmentFile, settingsFilePath } from "../config/settings_file.ts";
import { readSmallFile } from "../config/small_file.ts";
import { AgentError } from "../errors.ts";
import type { SettingsFileSeen } from "./seen.ts";

/** Throws NOT_FOUND where there is none, UNSUPPORTED where this user may not look. */
export function lookAtSettingsFile(
  { files: { root } }: Pick<Settings, "files">,
  environment: Environment,
): SettingsFileSeen {
  const path = settingsFilePath(root);
  try {
    const { text, mode } = readSmallFile(path);
    const file = parseEnvironmentFile(text);
    const secrets = SECRET_VARIABLES.filter((name) => file[name]);
    const exposed = (mode & 0o077) !== 0 ? secrets : [];
    return { path, exposed, ...compareSettings(environment, file) };
  } catch (cause) {
    // systemd reads it as root.
    if (cause instanceof Deno.errors.PermissionDenied) {
      throw new AgentError("UNSUPPORTED", `this user may not read ${path}`);
    }
    if (!(cause instanceof Deno.errors.NotFound)) {
      return { path, exposed: [], differing: [], problem: reason(cause) };
    }
    const message = `there is no ${path}: the settings are those of the environment`;
    throw new AgentError("NOT_FOUND", message);
  }
}

/**
 * The variables of the file that would make other settings than the environment's. Names alone: some are secrets.
 *
 * @param environment what the settings in use were read from
 */
export function compareSettings(
  environment: Environment,
  file: Environment,
): Pick<SettingsFileSeen, "differing" | "problem"> {
  const effect = (env: Environment) => JSON.stringify(readSettings(env));
  let whole: string;
  try {
    whole = effect(file);
  } catch (cause) {
    return {
      differing: [],
      problem: reason(cause).replace(/\.$/, ""),
    };
  }
  const mine = effect(environment);
  if (whole === mine) return { differing: [] };
  const differs = (name: Variable) => {
    if (file[name] === undefined) return false;
    try {
      return effect({ ...environment, [name]: file[name] }) !== mine;
    } catch {
      // The two don't go together: half of a pair, a file outside of the other root.
      return true;
    }
  };
  return { differing: VARIABLES.filter(differs) };
}

const reason = (cause: unknown) => cause instanceof Error ? cause.message : String(cause);
