/** What `podman container inspect haproxy` answers, as far as it is of use here (podman 4.3). */

export interface Inspected {
  readonly status?: string;
  readonly path?: string;
  readonly args?: readonly string[];
  readonly cmd?: readonly string[];
  readonly mounts?: readonly unknown[];
}

export function inspectJson({
  status = "running",
  path = "docker-entrypoint.sh",
  args = ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"],
  cmd = ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"],
  mounts = [],
}: Inspected = {}): string {
  const container = {
    Id: "99f66530fe9c7249f7cf29f78e8661669d5831cbe4ee80ea757d5e922dd6a8a6",
    Created: "2026-11-25T06:09:08.936623325Z",
    Path: path,
    Args: args,
    State: {
      OciVersion: "1.0.2-dev",
      Status: status,
      Running: status === "running",
      Paused: status === "paused",
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: status === "running" ? 4711 : 0,
      ExitCode: 0,
      Error: "",
    },
    ImageName: "docker.io/library/haproxy:3.2",
    Name: "haproxy",
    RestartCount: 0,
    Driver: "overlay",
    Mounts: mounts,
    Config: {
      Hostname: "99f66530fe9c",
      User: "haproxy",
      Env: ["HAPROXY_VERSION=3.2.26", "container=podman"],
      Cmd: cmd,
      WorkingDir: "/var/lib/haproxy",
      Entrypoint: "docker-entrypoint.sh",
      StopSignal: 10,
    },
  };
  return JSON.stringify([container], null, 5);
}
