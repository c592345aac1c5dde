/** What runs the agent under systemd: its unit, what other ways to a reload need beside it, a drop-in for HAProxy's own unit. */
import { hostPort, type InitOptions, paths } from "./options.ts";

/** Whom the agent runs as, and the group of the same name. */
export const AGENT_USER = "haproxy-mcp";
/** Where scripts/install.sh puts the executable. */
export const EXECUTABLE = "/usr/local/bin/haproxy-mcp";
/** Where HAProxy's master CLI is: for `haproxy -S`, without what it is followed by. */
export function masterAddress({ root, container }: InitOptions): string {
  return container ? hostPort("127.0.0.1", container.masterPort) : paths(root).masterSocket;
}

/** By `systemd-analyze security` of systemd 252, lower is better: pinned by tests/init/systemd_test.ts. */
export const EXPOSURE = { unit: 1.1, podman: 5.7 } as const;

export function agentUnit({ root }: Pick<InitOptions, "root">): string {
  const { environment, units } = paths(root);
  return `\
# haproxy-mcp.service, written by haproxy-mcp init and anew at each further one: put changes into a drop-in
# (systemctl edit haproxy-mcp), and settings into ${environment}.
# In place, as root:
#   cp ${units}/haproxy-mcp.service /etc/systemd/system/
#   systemctl daemon-reload
#   systemctl enable --now haproxy-mcp
[Unit]
Description=haproxy-mcp, which changes HAProxy while it serves
# Not Requires: it waits for a HAProxy that is not there, and HAProxy serves without it.
After=network-online.target haproxy.service
Wants=network-online.target
RequiresMountsFor=${root}
# It is never given up: HAProxy serves on whatever happens here.
StartLimitIntervalSec=0

[Service]
Type=exec
User=${AGENT_USER}
Group=${AGENT_USER}
# Programs (haproxy -c, systemctl, podman, acme.sh) are looked for here, once, at the start.
Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
Environment=HAPROXY_ROOT=${root}
# Read by systemd as root: its secrets need not be readable by the service.
EnvironmentFile=-${environment}
ExecStart=${EXECUTABLE} serve
# What it can't mend in place it mends by a new process (70). Usage (2) and settings (4) wait for a person.
Restart=always
RestartSec=2
RestartPreventExitStatus=2 4
# A stop gives calls in flight 5 s, and what they leave unfinished as long again.
TimeoutStopSec=20
# Its own children (haproxy -c, acme.sh) are ended by it; what is left at the end, by systemd.
KillMode=mixed
# 110 MB idle, 200 MB after much work, and what a haproxy -c takes for as long as it runs.
MemoryHigh=384M
MemoryMax=512M
OOMPolicy=kill
# HAProxy is the last that the machine should give up.
OOMScoreAdjust=200
TasksMax=256
# 4,096 connections, files, conversations with HAProxy.
LimitNOFILE=8192
# A core would hold keys and tokens.
LimitCORE=0
UMask=0077

# It writes below its root and nowhere else, and sees no home.
ProtectSystem=strict
${room(root)}
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
PrivateUsers=yes
PrivateMounts=yes
PrivateIPC=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
ProcSubset=pid
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
# AF_UNIX: HAProxy's master socket, and D-Bus for systemctl.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
# No MemoryDenyWriteExecute: V8 compiles while it runs.
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# An answer and not the end: V8 asks for protection keys and goes on without.
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}

/** A root in a folder that the unit hides is shown to it alone. */
function room(root: string): string {
  const below = (...folders: readonly string[]) =>
    folders.some((folder) => root === folder || root.startsWith(`${folder}/`));
  const inHome = below("/home", "/root", "/run/user");
  const hidden = inHome || below("/tmp", "/var/tmp");
  return `${hidden ? "BindPaths" : "ReadWritePaths"}=${root}
ProtectHome=${inHome ? "tmpfs" : "yes"}`;
}

/** HAPROXY_RELOAD=podman: Podman's containers are root's. */
export function podmanDropIn({ root }: Pick<InitOptions, "root">): string {
  return `\
# podman.conf, written by haproxy-mcp init: for HAPROXY_RELOAD=podman alone, which signals HAProxy's container and checks
# haproxy.cfg in it. Rather let HAProxy have a master CLI (haproxy -W -S): that needs nothing of this.
# Podman's containers are root's, and a program that is run in one gets the container's rights from its starter. So this
# makes the agent nearly root: systemd-analyze security rates the unit ${EXPOSURE.podman} with it, ${EXPOSURE.unit} without.
# In place, as root:
#   mkdir -p /etc/systemd/system/haproxy-mcp.service.d
#   cp ${
    paths(root).units
  }/haproxy-mcp.service.d/podman.conf /etc/systemd/system/haproxy-mcp.service.d/
#   systemctl daemon-reload
#   systemctl restart haproxy-mcp
[Service]
User=root
Group=root
PrivateUsers=no
# SYS_ADMIN: Podman takes who lacks it for an ordinary user. The others are what a container of Podman's has.
CapabilityBoundingSet=CAP_SYS_ADMIN CAP_AUDIT_WRITE CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL
CapabilityBoundingSet=CAP_MKNOD CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID
CapabilityBoundingSet=CAP_SYS_CHROOT
# Would take CAP_MKNOD away.
PrivateDevices=no
# SELinux lets no process without new privileges enter a container.
NoNewPrivileges=no
RestrictNamespaces=no
RestrictSUIDSGID=no
ProtectControlGroups=no
ProtectProc=default
ProcSubset=all
ReadWritePaths=-/run -/var/lib/containers -/sys/fs/cgroup
SystemCallFilter=
SystemCallFilter=@system-service @mount @privileged bpf keyctl pivot_root setns unshare
`;
}

/** HAPROXY_RELOAD=systemd: the one thing that the agent's user may ask of systemd. */
export function polkitRule({ root }: Pick<InitOptions, "root">): string {
  return `\
// 50-haproxy-mcp.rules, written by haproxy-mcp init: for HAPROXY_RELOAD=systemd alone. The agent's user may reload
// haproxy.service, and nothing else. The unit stays as it is: systemd-analyze security rates it ${EXPOSURE.unit} either way.
// In place, as root:
//   cp ${paths(root).units}/50-haproxy-mcp.rules /etc/polkit-1/rules.d/
polkit.addRule(function (action, subject) {
  if (
    action.id == "org.freedesktop.systemd1.manage-units" &&
    action.lookup("unit") == "haproxy.service" && action.lookup("verb") == "reload" &&
    subject.user == "${AGENT_USER}"
  ) {
    return polkit.Result.YES;
  }
});
`;
}

/** For the unit that Debian and Ubuntu ship: `haproxy -Ws -f $CONFIG -p $PIDFILE $EXTRAOPTS`. */
export function haproxyDropIn({ root }: Pick<InitOptions, "root">): string {
  const { config, masterSocket, units } = paths(root);
  return `\
# haproxy-mcp.conf, written by haproxy-mcp init: lets the haproxy.service of Debian and Ubuntu serve ${config}, with a
# master CLI that the agent's user alone can open. CONFIG and EXTRAOPTS in /etc/default/haproxy would win over these.
# In place, as root; from then on /etc/haproxy/haproxy.cfg is not read any more:
#   mkdir -p /etc/systemd/system/haproxy.service.d
#   cp ${units}/haproxy.service.d/haproxy-mcp.conf /etc/systemd/system/haproxy.service.d/
#   systemctl daemon-reload
#   systemctl restart haproxy
[Service]
Environment="CONFIG=${config}" "EXTRAOPTS=-S ${masterSocket},mode,600,user,${AGENT_USER}"
`;
}
