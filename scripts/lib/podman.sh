#!/usr/bin/env bash
# podman.sh DIR: unpacks Podman with runc and conmon from Debian bookworm into DIR/lib, nothing but what they need, and
# writes DIR/bin/podman, which takes Podman's own command line. Nothing is installed: images, containers and locks lie
# below the folder PODMAN_STATE (DIR/state where it is not set), which an installed Podman never sees, and of the
# machine's configuration nothing is read. Needs what debian-root.sh needs; the programs run with the machine's libc
# (Debian 12's or a newer one).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
[ $# = 1 ] || fail "usage: podman.sh DIR"
mkdir -p "$1"
dir=$(cd "$1" && pwd)

bash "$(dirname "${BASH_SOURCE[0]}")/debian-root.sh" "$dir/debian" podman bookworm podman runc conmon
root=$dir/debian/root
mkdir -p "$dir/lib/programs" "$dir/lib/libraries"
cp "$root"/usr/bin/{podman,conmon} "$root/usr/sbin/runc" "$dir/lib/programs"
# The libraries by name, but for libc's own: these belong to the machine's ld.so, which starts the programs.
folders=$(echo "$root"/{usr/,}lib/*-linux-gnu | tr ' ' ':')
LD_LIBRARY_PATH=$folders ldd "$dir"/lib/programs/* | sed -n "s,.* => \($root/[^ ]*\) .*,\1,p" | sort -u |
  while read -r library; do
    case ${library##*/} in lib[cm].so.* | lib{dl,rt,pthread,resolv,util}.so.*) continue ;; esac
    cp -L "$library" "$dir/lib/libraries"
  done
rm -r "$dir/debian"

# runc, too, is started by a wrapper: both conmon and Podman start it, and without this environment.
# Podman goes by the ways that it is told for what it starts later, and by this file for the rest.
mkdir "$dir/bin"
echo '[engine]
events_logger = "file"
# Locks in shared memory would be those of every Podman of the machine.
lock_type = "file"' >"$dir/lib/containers.conf"
# Podman wants one that names places. Those of the command line win.
echo '[storage]
driver = "vfs"
graphroot = "/var/empty/storage"
runroot = "/var/empty/run"' >"$dir/lib/storage.conf"
for program in podman conmon runc; do
  cat >"$dir/lib/$program" <<WRAPPER
#!/bin/sh
case \$0 in /*) here=\${0%/*/*} ;; *) here=\$PWD/\${0%/*}/.. ;; esac
export LD_LIBRARY_PATH="\$here/lib/libraries"
export CONTAINERS_CONF="\$here/lib/containers.conf" CONTAINERS_STORAGE_CONF="\$here/lib/storage.conf"
WRAPPER
  chmod +x "$dir/lib/$program"
done
mv "$dir/lib/podman" "$dir/bin/podman"
# What puts a dead container's remains away is a Podman that conmon starts: it has to be this one, with the same state.
cat >>"$dir/lib/conmon" <<'WRAPPER'
for argument in "$@"; do
  shift
  case $option in
    --exit-command) argument=$here/bin/podman ;;
    --exit-dir) export PODMAN_STATE="${argument%/libpod/exits}" ;;
  esac
  option=$argument
  set -- "$@" "$argument"
done
WRAPPER
for program in conmon runc; do
  echo "exec \"\$here/lib/programs/$program\" \"\$@\"" >>"$dir/lib/$program"
done
cat >>"$dir/bin/podman" <<'WRAPPER'
state=${PODMAN_STATE:-$here/state}
exec "$here/lib/programs/podman" --root "$state/storage" --runroot "$state/run" --tmpdir "$state/libpod" \
  --network-config-dir "$state/networks" --storage-driver vfs --cgroup-manager cgroupfs \
  --conmon "$here/lib/conmon" --runtime "$here/lib/runc" --runtime-flag "root=$state/runc" "$@"
WRAPPER
