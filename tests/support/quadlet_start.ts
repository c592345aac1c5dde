/** The command line of `init --quadlet`'s container, taken from the unit that Podman's generator makes of it. */
import type { InitOptions } from "../../lib/init/options.ts";
import { haproxyContainer } from "../../lib/init/quadlet.ts";
import { generated } from "./units.ts";

/** How the generated unit starts the container, but for what ties it to systemd, its name and its image. */
export async function quadletStart(options: InitOptions) {
  const { unit } = await generated("haproxy.container", haproxyContainer(options));
  const [, flags, command] = /^ExecStart=.* -d (.*) \S+\/haproxy:\S+ haproxy (.*)$/m.exec(unit) ??
    [];
  if (!flags) throw new Error(`The generated unit starts otherwise:\n${unit}`);
  return { flags: flags.split(" "), command: command.split(" ") };
}
