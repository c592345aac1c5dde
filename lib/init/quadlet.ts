/** HAProxy in Podman, by a quadlet: a unit of systemd that Podman makes of haproxy.container. */
import { dirname } from "node:path";
import { type InitOptions, paths } from "./options.ts";
import { masterAddress } from "./systemd.ts";

/**
 * The official image of a version line with long support: its 3.2 is built without QUIC, so without HTTP/3. It starts
 * programs by an entry point that puts `-W -db` behind `haproxy` too; said twice it is the same.
 */
const IMAGE = "docker.io/library/haproxy:3.4";

/** Whom the image has for HAProxy's workers. */
export const IMAGE_ACCOUNT = { user: "haproxy", group: "haproxy" } as const;

/** @param options with a container */
export function haproxyContainer(options: InitOptions): string {
  const { config, units } = paths(options.root);
  const { name } = options.container!;
  return `\
# haproxy.container, written by haproxy-mcp init and anew at each further one: put changes into a drop-in
# (Podman 5: /etc/containers/systemd/haproxy.container.d/NAME.conf). For Podman from 4.4 on, run by root.
# In place, as root; Podman makes haproxy.service of it:
#   mkdir -p /etc/containers/systemd
#   cp ${units}/haproxy.container /etc/containers/systemd/
#   systemctl daemon-reload
#   systemctl start haproxy
[Unit]
Description=HAProxy in Podman, changed by haproxy-mcp
After=network-online.target
Wants=network-online.target

[Container]
# A version line, whose newest release \`podman pull\` brings.
Image=${IMAGE}
ContainerName=${name}
# The clients' addresses as they are, UDP for HTTP/3, and servers, Runtime API and master CLI on this machine's loopback.
Network=host
# The master opens ports and reads the agent's files; the workers become ${IMAGE_ACCOUNT.user}, in an empty folder. KILL: it has to end
# old workers, which are another user's by then.
User=root
DropCapability=all
AddCapability=CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID CAP_SYS_CHROOT CAP_DAC_OVERRIDE CAP_KILL
NoNewPrivileges=true
ReadOnly=true
# Folders under the paths that they have outside, and never single files: the agent replaces files by rename, which a
# mount of the file would not see. z, not Z: under SELinux the agent writes there too.
${mounts(options).map((folder) => `Volume=${folder}:${folder}:ro,z`).join("\n")}
# The master CLI on the loopback, and not a socket in a folder: so the agent reaches it whatever its user, namespace or
# SELinux context. Like the Runtime API beside it, it has no password: give this machine no other users.
Exec=haproxy -W -db -S ${masterAddress(options)} -f ${config}

[Service]
Restart=always
# The first start may have to fetch the image.
TimeoutStartSec=900
ExecReload=/usr/bin/podman exec ${name} haproxy -c -q -f ${config}
ExecReload=/usr/bin/podman kill --signal USR2 ${name}

[Install]
WantedBy=multi-user.target
`;
}

/** What haproxy.cfg names, as folders; none that lies in another. */
function mounts({ root, map, serverState }: InitOptions): readonly string[] {
  const { config, crtList, chroot } = paths(root);
  const folders = [...new Set([config, crtList, chroot, map, serverState].map(dirname))];
  return folders.filter((folder) => !folders.some((other) => folder.startsWith(`${other}/`)));
}
