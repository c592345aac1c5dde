/**
 * A stand-in for `systemctl`, to be found in PATH by an agent under test: it writes down what it is asked and
 * does for haproxy.service what Debian's unit says (ExecReload: check the configuration, then SIGUSR2).
 *
 *     const systemctl = await makeSystemctl({ folder, masterPid, binary, configFile });
 *     … the agent with PATH=folder …
 *     assert.deepEqual(await systemctl.calls(), ["--no-ask-password reload haproxy.service"]);
 */
import { join } from "node:path";

export interface SystemctlOptions {
  /** Gets the files `systemctl` and `systemctl.calls`. */
  readonly folder: string;
  /** HAProxy's; the unit counts as active while it lives. */
  readonly masterPid: number;
  readonly binary: string;
  readonly configFile: string;
}

export interface Systemctl {
  /** The arguments of each call so far, with blanks between. */
  calls(): Promise<readonly string[]>;
}

export async function makeSystemctl(options: SystemctlOptions): Promise<Systemctl> {
  const { folder, masterPid, binary, configFile } = options;
  const file = join(folder, "systemctl");
  const log = join(folder, "systemctl.calls");
  await Deno.writeTextFile(
    file,
    `#!/bin/sh
echo "$*" >>'${log}'
case "$*" in
  "is-active --quiet haproxy.service")
    kill -0 ${masterPid} 2>/dev/null || exit 3
    ;;
  "--no-ask-password reload haproxy.service")
    '${binary}' -Ws -f '${configFile}' -c -q 2>/dev/null && kill -USR2 ${masterPid} || {
      echo 'Job for haproxy.service failed.' >&2
      echo 'See "systemctl status haproxy.service" and "journalctl -xeu haproxy.service" for details.' >&2
      exit 1
    }
    ;;
  *)
    echo "Unknown command verb $*." >&2
    exit 1
    ;;
esac
`,
  );
  await Deno.chmod(file, 0o755);
  return {
    async calls() {
      const text = await Deno.readTextFile(log).catch(() => "");
      return text.split("\n").filter(Boolean);
    },
  };
}
