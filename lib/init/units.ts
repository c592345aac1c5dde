/** Writes what lies under ROOT/systemd/ and the unit's settings, and says how it gets to its place. */
import { basename, dirname, join } from "node:path";
import { type Environment, environmentFile } from "./environment_file.ts";
import { openFiles, type WrittenFile } from "./files.ts";
import { type InitOptions, paths } from "./options.ts";
import { haproxyContainer } from "./quadlet.ts";
import { AGENT_USER, agentUnit, haproxyDropIn, podmanDropIn, polkitRule } from "./systemd.ts";

export interface UnitOptions {
  /** The agent's unit, and what belongs to it. */
  readonly systemd: boolean;
  /** What the unit's settings have beside the defaults. */
  readonly environment: Environment;
}

/** HAProxy's quadlet is written where `options` have a container. */
export async function writeUnits(
  options: InitOptions,
  { systemd, environment }: UnitOptions,
): Promise<readonly WrittenFile[]> {
  const { units, environment: environmentPath } = paths(options.root);
  const files = openFiles(options.root);
  const written: WrittenFile[] = [];
  const write = async (name: string, text: string) =>
    void written.push(await files.renew(join(units, name), 0o644, text));
  if (systemd) {
    written.push(await files.create(environmentPath, 0o600, () => environmentFile(environment)));
    await write("haproxy-mcp.service", agentUnit(options));
    await write("haproxy-mcp.service.d/podman.conf", podmanDropIn(options));
    await write("50-haproxy-mcp.rules", polkitRule(options));
    // A haproxy.service of Podman's making would read this one too.
    if (!options.container && options.otherConfig === undefined) {
      await write("haproxy.service.d/haproxy-mcp.conf", haproxyDropIn(options));
    }
  }
  if (options.container) await write("haproxy.container", haproxyContainer(options));
  return written;
}

/** What the agent writes right in conf/; all else there is root's, since HAProxy and systemd may take it from there. */
export const AGENT_FILES = [
  "domains.map",
  "servers.json",
  "servers.state",
  "certificates.json",
  "mcp-token.env",
] as const;

/**
 * What lets the agent's user write what is the agent's. haproxy.cfg, the unit's settings and the units stay root's: who
 * has taken over the agent can't put others in their place, since conf/ is sticky and the root itself is root's. Nor can
 * a link of its make: no command follows one below the root.
 */
export function ownerCommands(
  { root, map, serverState }: Pick<InitOptions, "root" | "map" | "serverState">,
): readonly string[] {
  const conf = join(root, "conf");
  const named = [map, serverState].filter((path) => dirname(path) === conf).map((path) =>
    basename(path)
  );
  const names = [...new Set([...AGENT_FILES, ...named])].map((name) => `-name ${name}`);
  return [
    `id -u ${AGENT_USER} || useradd --system --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin ${AGENT_USER}`,
    `chown root:${AGENT_USER} ${root} && chmod g+rx ${root}`,
    `chown -h root:${AGENT_USER} ${conf} ${root}/run && chmod 1775 ${conf} && chmod 750 ${root}/run`,
    `chown -R root: ${root}/systemd && chown -h root: ${conf}/haproxy.cfg ${conf}/haproxy-mcp.env`,
    `find ${conf} -mindepth 1 -maxdepth 1 '(' ${
      names.join(" -o ")
    } ')' -exec chown -h ${AGENT_USER}: '{}' +`,
    `chown -R ${AGENT_USER}: ${root}/certs ${root}/data && chmod 700 ${root}/data`,
  ];
}

/** The lines of a unit's first comment that put it in place. */
export function placingCommands(text: string): readonly string[] {
  return text.split("\n").flatMap((line) => /^(?:#|\/\/) {3}(\S.*)/.exec(line)?.[1] ?? []);
}
