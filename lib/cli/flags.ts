/** Flags that mean the same as a setting, and win over the environment. */
import { isAbsolute } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { SECRET_VARIABLES } from "../config/acme.ts";
import type { Environment } from "../config/reader.ts";
import { readSettingsFile, settingsFilePath } from "../config/settings_file.ts";
import {
  DEFAULT_ROOT,
  readSettings,
  type Settings,
  SettingsError,
  type Variable,
  VARIABLES,
} from "../config.ts";

/** Commander's name of each option → the variable it stands for. */
const FLAGS = {
  root: { flag: "--root <dir>", variable: "HAPROXY_ROOT", says: "HAProxy's folder" },
  haproxyHost: {
    flag: "--haproxy-host <host>",
    variable: "HAPROXY_HOST",
    says: "where the Runtime API listens",
  },
  haproxyPort: { flag: "--haproxy-port <port>", variable: "HAPROXY_PORT", says: "its port" },
  host: { flag: "--host <address>", variable: "MCP_HOST", says: "where to listen" },
  port: { flag: "--port <port>", variable: "MCP_PORT", says: "its port" },
} as const satisfies Record<string, { flag: string; variable: Variable; says: string }>;
export type Flag = keyof typeof FLAGS;

export const HAPROXY_FLAGS: readonly Flag[] = ["root", "haproxyHost", "haproxyPort"];
export const LISTEN_FLAGS: readonly Flag[] = ["host", "port"];

export function addFlags(command: Command, flags: readonly Flag[]): Command {
  for (const name of flags) {
    const { flag, says, variable } = FLAGS[name];
    command.option(flag, `${says} (${variable})`, notEmpty);
  }
  return command;
}

/** What wholeEnvironment says. Throws SettingsError. */
export function settingsFrom(...given: Parameters<typeof environmentFrom>): Settings {
  return readSettings(wholeEnvironment(...given));
}

/**
 * What environmentFrom says, and what conf/haproxy-mcp.env does beneath that. Throws SettingsError for what can't be used.
 */
export function wholeEnvironment(...given: Parameters<typeof environmentFrom>): Environment {
  const environment = environmentFrom(...given);
  const { root, settings } = fromSettingsFile(environment);
  const whole = { ...environment, ...settings };
  try {
    readSettings(whole);
    return whole;
  } catch (cause) {
    const inFile = cause instanceof SettingsError && settings[cause.variable] !== undefined;
    if (inFile) cause.message += ` It stands in ${settingsFilePath(root)}.`;
    throw cause;
  }
}

/** What the file of this root sets, of what the environment does not. */
export function fromSettingsFile(
  environment: Environment,
): { readonly root: string; readonly settings: Environment } {
  const root = environment.HAPROXY_ROOT?.trim() || DEFAULT_ROOT;
  const file = isAbsolute(root) ? readSettingsFile(root) : {};
  const names = VARIABLES.filter((name) => name !== "HAPROXY_ROOT" && !environment[name]);
  return {
    root,
    settings: Object.fromEntries(
      names.flatMap((name) => file[name] ? [[name, file[name]]] : []),
    ),
  };
}

/**
 * The environment with the given flags laid over it, and over `fallback`.
 *
 * Secrets are read once and taken out of the environment: in a worker Deno 2.6's inner API reads all of it, whatever the
 * worker may (SECURITY.md).
 */
export function environmentFrom(
  options: Readonly<Record<string, unknown>>,
  fallback: Partial<Readonly<Record<Variable, string>>> = {},
): Environment {
  const environment: Record<string, string | undefined> = Object.fromEntries(
    VARIABLES.map((name) => [name, Deno.env.get(name) || fallback[name]]),
  );
  for (const name of SECRET_VARIABLES) Deno.env.delete(name);
  for (const [name, { variable }] of Object.entries(FLAGS)) {
    if (typeof options[name] === "string") environment[variable] = options[name];
  }
  return environment;
}

/** An empty value, as of an unset shell variable, would silently mean the default. */
function notEmpty(value: string): string {
  if (value.trim() === "") throw new InvalidArgumentError("It is empty.");
  return value;
}
