/** /proc, /sys and /dev: the kernel's files about this process, others, and the machine. */
import type { Attempts, ProbeTarget } from "./attempt.ts";

const read = (path: string) => async () => (await Deno.open(path)).close();
const write = (path: string) => async () => (await Deno.open(path, { write: true })).close();
const list = (path: string) => () => Array.fromAsync(Deno.readDir(path));

export function systemFiles({ root, pid }: ProbeTarget): Attempts {
  const own = ["environ", "maps", "cmdline", "status", "mounts", "mountinfo", "auxv", "net/tcp"];
  const others = ["environ", "cmdline", "maps", "fd/0", "root/etc/passwd", "cwd/"];
  const reads = [
    ...own.map((name) => `/proc/self/${name}`),
    "/proc/thread-self/environ",
    "/proc/self/mem",
    "/proc/self/fd/0",
    "/proc/self/fd/2",
    "/proc/self/exe",
    "/proc/self/root/etc/passwd",
    "/proc/self/cwd/deno.json",
    `/proc/self/task/${pid}/environ`,
    `/proc/self/root${root}/conf/domains.map`,
    ...others.flatMap((name) => [`/proc/${pid}/${name}`, `/proc/1/${name}`]),
    "/proc/version",
    "/proc/cpuinfo",
    "/proc/sys/kernel/hostname",
    "/proc/kcore",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/class/net/lo/address",
    "/dev/stdin",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/random",
    "/dev/zero",
    "/dev/mem",
    "/dev/kmsg",
    "/dev/fd/0",
  ];
  const writes = [
    "/proc/self/mem",
    "/proc/self/oom_score_adj",
    "/proc/self/comm",
    "/proc/self/fd/1",
    "/proc/self/fd/2",
    "/proc/sys/kernel/hostname",
    `/proc/${pid}/mem`,
    `/proc/${pid}/oom_score_adj`,
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/dev/null",
    "/dev/stdout",
    "/dev/stderr",
    "/dev/tty",
    "/dev/fd/1",
    "/dev/shm/probe",
  ];
  return {
    ...Object.fromEntries(reads.map((path) => [`read ${named(path, pid)}`, read(path)])),
    ...Object.fromEntries(writes.map((path) => [`write ${named(path, pid)}`, write(path)])),
    ...Object.fromEntries(
      ["/proc", "/proc/self/fd", "/proc/self/task", `/proc/${pid}/fd`, "/sys", "/dev", "/dev/shm"]
        .map((path) => [`list ${named(path, pid)}`, list(path)]),
    ),
  };
}

/** The same name in each run. */
const named = (path: string, pid: number) => path.replace(`/${pid}/`, "/PID/");
