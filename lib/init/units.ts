/** Writes what lies under ROOT/systemd/ and the unit's settings, and says how it gets to its place. */
import { join } from "node:path";
import { type Environment, environmentFile } from "./environment_file.ts";
import { create, renew, type WrittenFile } from "./files.ts";
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
  const files: WrittenFile[] = [];
  const write = async (name: string, text: string) =>
    void files.push(await renew(join(units, name), 0o644, text));
  if (systemd) {
    files.push(await create(environmentPath, 0o600, () => environmentFile(environment)));
    await write("haproxy-mcp.service", agentUnit(options));
    await write("haproxy-mcp.service.d/podman.conf", podmanDropIn(options));
    await write("50-haproxy-mcp.rules", polkitRule(options));
    // A haproxy.service of Podman's making would read this one too.
    if (!options.container) {
      await write("haproxy.service.d/haproxy-mcp.conf", haproxyDropIn(options));
    }
  }
  if (options.container) await write("haproxy.container", haproxyContainer(options));
  return files;
}

/**
 * What lets the agent's user write what is the agent's. haproxy.cfg, the unit's settings and the units stay root's: who
 * has taken over the agent can't put others in their place, since conf/ is sticky and the root itself is root's.
 */
export function ownerCommands({ root }: Pick<InitOptions, "root">): readonly string[] {
  return [
    `id -u ${AGENT_USER} || useradd --system --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin ${AGENT_USER}`,
    `chown root:${AGENT_USER} ${root} && chmod g+rx ${root}`,
    `chown -R ${AGENT_USER}: ${root}/conf ${root}/certs ${root}/data`,
    `chown root:${AGENT_USER} ${root}/conf ${root}/run && chmod 1775 ${root}/conf && chmod 750 ${root}/run`,
    `chown root: ${root}/conf/haproxy.cfg ${root}/conf/haproxy-mcp.env`,
  ];
}

/** The lines of a unit's first comment that put it in place. */
export function placingCommands(text: string): readonly string[] {
  return text.split("\n").flatMap((line) => /^(?:#|\/\/) {3}(\S.*)/.exec(line)?.[1] ?? []);
}
