# shellcheck shell=sh
# boot.sh FOLDER: in a mount and pid namespace of its own, a copy of this machine on which nothing that is written lasts:
# FOLDER/machine. It is up once FOLDER/machine/run/up is there, and ends, with all that runs there, when stdin does.
set -eu
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/machine"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/machine"
cd "$1/machine"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mkdir -p run/systemd/system etc/systemd/system usr/lib/systemd/system
touch run/up
cat >run/up.stdin
