#!/usr/bin/env bash
# debian-root.sh DIR PROGRAMS SUITES PACKAGE...
# Unpacks PACKAGEs of the Debian SUITES (separated by commas; the highest version that fits wins), and all
# they depend on, into DIR/root; for each of the PROGRAMS (separated by commas) DIR/bin/PROGRAM runs it with the
# libraries that came with it. Nothing is installed, and no folder but DIR is touched. The mirror is the one that
# this machine's apt sources name.
# Needs apt, dpkg, gpgv and debian-archive-keyring.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"

[ $# -ge 4 ] || fail "usage: debian-root.sh DIR PROGRAMS SUITES PACKAGE..."
mkdir -p "$1"
dir=$(cd "$1" && pwd) programs=${2//,/ } suites=${3//,/ }
shift 3

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
  sed -n '\,/debian/*$,{p;q}')}
[ -n "$mirror" ] ||
  fail "this machine's apt sources name no Debian mirror. Set DEBIAN_MIRROR to the address of one."

# An apt of its own: state, cache, sources and configuration all lie here. Of the machine's configuration only
# the way to the network (proxies, retries) is taken: its hooks would change the system.
apt=$dir/apt
mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,none,debs,temp}
: >"$apt/state/status"
for suite in $suites; do
  echo "deb [signed-by=$keyring target=Packages] $mirror $suite main"
done >"$apt/sources.list"
{
  apt-config dump --format '%F "%v";%n' Acquire
  cat <<CONFIG
Dir::State "$apt/state";
Dir::State::status "$apt/state/status";
Dir::Cache "$apt/cache";
Dir::Etc::main "$apt/none/apt.conf";
Dir::Etc::parts "$apt/none";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/none";
Dir::Etc::preferences "$apt/none/preferences";
Dir::Etc::preferencesparts "$apt/none";
APT::Sandbox::User "root"; // the usual _apt cannot write here
Acquire::Languages "none";
Acquire::Retries "5";
Acquire::http::Timeout "30";
CONFIG
} >"$apt/apt.conf"
export APT_CONFIG=$apt/apt.conf TMPDIR=$apt/temp

apt-get -qq --error-on=any update
# The dependencies as apt itself resolves them for an empty system, one NAME=VERSION a line.
apt-get -qq --no-install-recommends --print-uris install "$@" >"$apt/uris"
sed -n "s/^'[^']*' \([^_]*\)_\([^_]*\)_.*/\1=\2/p" "$apt/uris" | sed 's/%3a/:/' >"$apt/closure"
[ -s "$apt/closure" ] || fail "Debian's $suites offer no $*."
(cd "$apt/debs" && xargs apt-get -qq download <"$apt/closure")
mkdir -p "$dir/root" "$dir/bin"
for deb in "$apt"/debs/*.deb; do dpkg-deb -x "$deb" "$dir/root"; done
rm -r "$apt"

# first PATTERN...: the first file there is, as a path below DIR.
first() {
  local path
  for path in "$@"; do
    [ ! -e "$path" ] || { echo "${path#"$dir"/}" && return; }
  done
  fail "none of $* was in Debian's packages."
}
libraries=$(dirname "$(first "$dir"/root/{usr/,}lib/*/libc.so.6)")
loader=$(first "$dir/root/$libraries"/ld-linux-*.so.* "$dir/$libraries"/ld-linux-*.so.* "$dir"/root/{usr/,}lib{64,}/ld-linux-*.so.*)
for program in $programs; do
  binary=$(first "$dir"/root/usr/{sbin,bin}/"$program")
  # --argv0: HAProxy's master runs its argv[0] again at a reload, so it must find this wrapper there, absolute.
  # The paths follow the wrapper's own place: a moved folder works on.
  cat >"$dir/bin/$program" <<WRAPPER
#!/bin/sh
case \$0 in /*) self=\$0 ;; *) self=\$PWD/\$0 ;; esac
here=\${self%/bin/*}
exec "\$here/$loader" --argv0 "\$self" --library-path "\$here/$libraries" "\$here/$binary" "\$@"
WRAPPER
  chmod +x "$dir/bin/$program"
done
