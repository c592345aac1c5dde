#!/usr/bin/env bash
# unit-checkers.sh DIR: unpacks what reads units, from Debian, and nothing but what that needs: DIR/bin/systemd-analyze of
# bookworm's systemd with the units that it ships (DIR/units), and DIR/bin/quadlet, the generator of trixie's Podman.
# Nothing is installed. Needs what debian-root.sh needs; the programs run with the machine's libc (Debian 12's or a newer
# one).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/need.sh"
[ $# = 1 ] || fail "usage: unit-checkers.sh DIR"
mkdir -p "$1"
dir=$(cd "$1" && pwd)
mkdir -p "$dir/bin" "$dir/lib"

bash "$here/debian-root.sh" "$dir/podman" podman trixie podman
cp "$dir/podman/root/usr/libexec/podman/quadlet" "$dir/bin"
rm -r "$dir/podman"

bash "$here/debian-root.sh" "$dir/systemd" systemd-analyze bookworm systemd
root=$dir/systemd/root
cp "$root/usr/bin/systemd-analyze" "$dir/lib"
cp -r "$root/lib/systemd/system" "$dir/units"
# The libraries by name, but for libc's own: these belong to the machine's ld.so, which starts the program.
folders=$(echo "$root"/{usr/,}lib/*-linux-gnu{/systemd,} | tr ' ' ':')
LD_LIBRARY_PATH=$folders ldd "$dir/lib/systemd-analyze" | sed -n "s,.* => \($root/[^ ]*\) .*,\1,p" | sort -u |
  while read -r library; do
    case ${library##*/} in lib[cm].so.* | lib{dl,rt,pthread,resolv,util}.so.*) continue ;; esac
    cp -L "$library" "$dir/lib"
  done
rm -r "$dir/systemd"
cat >"$dir/bin/systemd-analyze" <<'WRAPPER'
#!/bin/sh
case $0 in /*) here=${0%/*/*} ;; *) here=$PWD/${0%/*}/.. ;; esac
LD_LIBRARY_PATH="$here/lib" exec "$here/lib/systemd-analyze" "$@"
WRAPPER
chmod +x "$dir/bin/systemd-analyze"
