/** Stand-ins for podman, and the acts with a PATH that holds nothing else. */
import { programActs } from "../../../lib/supervisor/host/mod.ts";
import { type Folder, hostSettings } from "./fixtures.ts";
import { type Inspected, inspectJson } from "./inspect.ts";

export const acts = (folder: Folder, env: Record<string, string> = {}, user = {}) =>
  programActs(hostSettings(`${folder.path}/root`, env), { PATH: folder.path, ...user });

/** Podman with one container; `exec` and `kill` as given. */
export async function podman(folder: Folder, inspected: Inspected = {}, more = ""): Promise<void> {
  await folder.file("inspect.json", inspectJson(inspected));
  await folder.program(
    "podman",
    `case $1 in
container) cat '${folder.path}/inspect.json' ;;
${more}
esac`,
  );
}
/** Podman that has none. */
export const noContainer = (folder: Folder) =>
  folder.program("podman", `echo 'Error: no such container "haproxy"' >&2; exit 125`);
/** This machine may have a HAProxy outside of the PATH that the stand-ins are in. */
export const NO_BINARY = { HAPROXY_RELOAD: "podman" };
