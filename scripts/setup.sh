#!/usr/bin/env bash
# setup.sh [--compile | --tests]: brings what the scripts need into .cache/ and changes nothing else.
#   (nothing)   Deno 2.9.6, a HAProxy from 3.0 on, and the npm dependencies of deno.lock
#   --compile   the same, and what `deno compile` needs on a machine that cannot download Deno's base
#   --tests     the same, and for the tests HAProxy 3.0, 3.2 and 3.4, a curl with HTTP/3, Podman, acme.sh,
#               Pebble, an ACME CA: the newest one, and 2.4, which has no renewal information, libfaketime, zsh and fish,
#               what reads units (systemd-analyze, Podman's quadlet), Chromium and axe, which look at the status page, and
#               the MCP clients of tests/clients
# It reaches npm's registry and a Debian mirror only. What is there already is kept: a second run takes no time.
# Source .cache/env.sh afterwards: DENO, DENO_COMPILE, DENORT_BIN, HAPROXY, HAPROXY_3_0 …, CURL_HTTP3, PODMAN,
# PEBBLE, PEBBLE_CHALLTESTSRV, PEBBLE_2_4, PEBBLE_2_4_CHALLTESTSRV, ACME_SH, LIBFAKETIME, TEST_ZSH, TEST_FISH,
# SYSTEMD_ANALYZE, QUADLET, CHROMIUM, AXE, CLIENTS, DENO_DIR.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/need.sh

DENO_VERSION=2.9.6
# The newest pair of which both halves are on npm; see scripts/lib/denort.sh.
PAIR_DENO=2.6.8
PAIR_DENORT=2.6.10
# What Deno 2.9.6 bundles with, and where it looks for it before it fetches one by itself.
ESBUILD=0.25.5 ESBUILD_FOLDER=dl/esbuild-0.25.5-1
AXE=4.14.1
# SHA-512 of the tarballs on npm.
declare -A SUMS=(
  [linux-x64-glibc@2.9.6]=de67784ca2c2bb3b0b0e67cea02e4a37b34065ac525643209bae2f83a7e80f4d090400c2a584b6ff942a5dfce09cfe59433de22cff6f05026d120735d7a380a1
  [linux-arm64-glibc@2.9.6]=a68aa1a07f41de7625a2280430f4f9b7c1d8fb005e8ae79ad409f943b7ea809ccfd126265aca12fe852758efe9122038a1fcc8072d4496dfe29f9f312adc44a1
  [linux-x64-glibc@2.6.8]=a18eaa21bcab107b7eaf393ba0727c299809de6390d5e7289d159c5e59bfc0e5ce4550e7ee5f6b128634be539fe10befdb6b4f4c3e499f56f19ba5816415e6a2
  [esbuild/linux-x64]=ba18fc376a1b29313aa5267e68c51baaafb59d7c4d8d92088c28c62dfb16bd5a72ee028238beabb18d4c85187dccbb54b4023bbe980b30ae83c633bc426f6527
  [axe-core]=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
  [esbuild/linux-arm64]=67d91f6f5bfa66519b5a3f04264f53e9ccd51238eada7b5260b636730ea9019978a0ab5f810b92e073aae3533f05ca0b3f3ad46cd77e4780571721fffe71f156
)

level=${1:-}
case $level in "" | --compile | --tests) ;; *) fail "usage: setup.sh [--compile | --tests]" ;; esac

cache=$PWD/.cache
mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] ||
  fail "$cache cannot be written by $(id -un). Remove it, or run this as its owner $(stat -c %U "$cache" 2>/dev/null)."
need flock util-linux
# One set-up at a time: another waits here and then finds everything in place.
exec 9>"$cache/lock"
flock -w 1 9 || { echo "setup: waiting for another set-up of this checkout" && flock 9; }
temp=$cache/temp
rm -rf "$temp" # what an interrupted set-up left
mkdir "$temp"

# Downloads run side by side, each a process group of its own, so that an interrupt ends all of it at once.
set -m
jobs=()
tidy() {
  exec 2>/dev/null # the shell's own words on each job that is ended
  for job in "${jobs[@]}"; do kill -- "-$job" || true; done
  wait || true
  rm -rf "$temp"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# bring FOLDER WHAT COMMAND...: the command fills the folder `$temp/FOLDER`, which gets its place in the cache only
# when it is complete. Mirrors fail for a moment sometimes, hence the second try.
bring() {
  local folder=$1 what=$2 log=$temp/$1.log
  shift 2
  [ ! -d "$cache/$folder" ] || return 0
  echo "setup: getting $what"
  "$@" >"$log" 2>&1 </dev/null || {
    rm -rf "${temp:?}/$folder"
    "$@" >"$log" 2>&1 </dev/null || { tail -n 20 "$log" >&2 && fail "$what could not be set up (see above)."; }
  }
  mv "$temp/$folder" "$cache/$folder"
}

need_npm() {
  need node nodejs
  need npm npm
  need tar tar
}

need_debian() {
  need apt-get apt
  need dpkg-deb dpkg
  need gpgv gpgv
  [ -r /usr/share/keyrings/debian-archive-keyring.gpg ] ||
    fail "Debian's archive keys are missing. Install them (apt-get install debian-archive-keyring) and run this again."
}

bring_deno() { # VERSION
  case $(uname -sm) in
    "Linux x86_64") local platform=linux-x64-glibc ;;
    "Linux aarch64") local platform=linux-arm64-glibc ;;
    *) fail "there is no way to bring Deno $1 for $(uname -sm). Install it yourself and run this again." ;;
  esac
  # The package `deno` has only a Node wrapper; killing that would leave Deno running.
  bring "deno-$1" "Deno $1" bash scripts/lib/npm-file.sh "@deno/$platform@$1" deno "$temp/deno-$1/deno" \
    "${SUMS[$platform@$1]}"
}

bring_haproxy() { # VERSION SUITES
  bring "haproxy-$1" "HAProxy $1" \
    bash scripts/lib/debian-root.sh "$temp/haproxy-$1" haproxy "$2" "haproxy=$1.*"
}

# Never the machine's own, so that the tests run alike everywhere.
bring_curl() {
  bring curl "curl with HTTP/3" bash scripts/lib/debian-root.sh "$temp/curl" curl sid curl
}

bring_podman() {
  bring podman Podman bash scripts/lib/podman.sh "$temp/podman"
}

bring_pebble() {
  bring pebble Pebble bash scripts/lib/debian-root.sh "$temp/pebble" pebble,pebble-challtestsrv sid pebble
}

bring_pebble-2.4() {
  bring pebble-2.4 "Pebble 2.4" \
    bash scripts/lib/debian-root.sh "$temp/pebble-2.4" pebble,pebble-challtestsrv bookworm "pebble=2.4.*"
}

# A shell script, which needs no wrapper: the one here is of the curl that it depends on.
bring_acme.sh() {
  bring acme.sh acme.sh bash scripts/lib/debian-root.sh "$temp/acme.sh" curl trixie "acme.sh=3.1.*"
}

# A library that programs of this machine load: an old suite's goes with an old libc, too.
bring_faketime() {
  bring faketime libfaketime \
    bash scripts/lib/debian-root.sh "$temp/faketime" faketime bookworm "faketime=0.9.10-*"
}

bring_shells() {
  bring shells "zsh and fish" bash scripts/lib/debian-root.sh "$temp/shells" zsh,fish trixie zsh fish
}

bring_unit-checkers() {
  bring unit-checkers "what reads units" bash scripts/lib/unit-checkers.sh "$temp/unit-checkers"
}

bring_chromium() {
  bring chromium Chromium bash scripts/lib/chromium.sh "$temp/chromium"
}

# One file of it, which the tests put into a page.
bring_axe() {
  bring "axe-$AXE" axe \
    bash scripts/lib/npm-file.sh "axe-core@$AXE" axe.min.js "$temp/axe-$AXE/axe.min.js" "${SUMS[axe-core]}"
}

# Another lock is another folder.
clients_folder() { echo "clients-$(sha256sum <tests/clients/package-lock.json | cut -c 1-12)"; }

bring_clients() {
  bring "$(clients_folder)" "the MCP clients" bash scripts/lib/npm-clients.sh "$temp/$(clients_folder)"
}

# at_least WANTED FOUND
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

installed_deno() {
  local path
  path=$(command -v deno) && [[ "$("$path" --version 2>/dev/null)" == "deno $DENO_VERSION "* ]] && echo "$path"
}

installed_haproxy() {
  local path version
  path=$(PATH=$PATH:/usr/local/sbin:/usr/sbin command -v haproxy) &&
    version=$("$path" -v 2>/dev/null | sed -n '1s/.* version \([0-9.]*\).*/\1/p') &&
    [ -n "$version" ] && at_least 3.0 "$version" && echo "$path"
}

# Deno by itself trusts only the roots that it brings along. Behind a gateway that signs anew, only the machine's
# own store knows the signer: it is used where, and only where, the first try fails for that reason.
bring_dependencies() {
  local wanted log=$temp/dependencies.log
  wanted=$(cat deno.json deno.lock | sha256sum)
  [ "$wanted" != "$(cat "$cache/dependencies" 2>/dev/null)" ] || return 0
  echo "setup: getting the npm dependencies"
  local install=("$deno" install --frozen)
  if ! "${install[@]}" >"$log" 2>&1 </dev/null; then
    if [ -z "${DENO_TLS_CA_STORE:-}" ] && grep -q UnknownIssuer "$log"; then
      export DENO_TLS_CA_STORE=system
      echo system >"$cache/ca-store"
    fi
    "${install[@]}" >"$log" 2>&1 </dev/null ||
      { tail -n 20 "$log" >&2 && fail "the npm dependencies could not be set up (see above)."; }
  fi
  echo "$wanted" >"$cache/dependencies"
}

bring_bundler() {
  case $(uname -sm) in
    "Linux x86_64") local platform=linux-x64 ;;
    "Linux aarch64") local platform=linux-arm64 ;;
    *) return 0 ;;
  esac
  local folder=$cache/deno/$ESBUILD_FOLDER
  # One without the mark was fetched by Deno itself.
  [ ! -e "$folder.pinned" ] || return 0
  need_npm
  echo "setup: getting esbuild $ESBUILD"
  bash scripts/lib/npm-file.sh "@esbuild/$platform@$ESBUILD" bin/esbuild "$folder/esbuild-$platform" \
    "${SUMS[esbuild/$platform]}"
  touch "$folder.pinned"
}

# What `deno compile` starts from: the current Deno's own base, or the pair where that can't be downloaded. Tried once
# for each version of Deno: `rm .cache/compile-*` makes it be tried again.
bring_compile() {
  local finding=$cache/compile-$DENO_VERSION
  if [ ! -e "$finding" ]; then
    echo 'console.log("compiled")' >"$temp/trial.ts"
    # A network that drops packets instead of refusing must not hold the set-up up for long. What comes out must run,
    # too: a DENORT_BIN in the environment may be another Deno's.
    if timeout --foreground 60 "$deno" compile --quiet --no-config -o "$temp/trial" "$temp/trial.ts" >"$temp/trial.log" 2>&1 </dev/null &&
      [ "$("$temp/trial" 2>&1)" = compiled ]; then
      echo own >"$finding"
    else
      echo pair >"$finding"
    fi
  fi
  [ "$(cat "$finding")" = pair ] || return 0
  [ "$(uname -sm)" = "Linux x86_64" ] ||
    fail "Deno's base for compiling cannot be downloaded, and npm has one for x86_64 Linux only. Run this where Deno can download it."
  [ -d "$cache/denort-$PAIR_DENORT" ] || need_npm
  bring_deno $PAIR_DENO
  bring "denort-$PAIR_DENORT" "denort $PAIR_DENORT" \
    bash scripts/lib/denort.sh "$temp/denort-$PAIR_DENORT/denort"
}

bring_deno_and_dependencies() {
  [ -n "$found_deno" ] || bring_deno $DENO_VERSION
  [ ! -e "$cache/ca-store" ] || export DENO_TLS_CA_STORE=${DENO_TLS_CA_STORE:-$(cat "$cache/ca-store")}
  bring_dependencies
  [ -z "$level" ] || { bring_bundler && bring_compile; }
}

found_deno=$(installed_deno || true)
found_haproxy=$(installed_haproxy || true)
deno=${found_deno:-$cache/deno-$DENO_VERSION/deno}
export DENO_DIR=$cache/deno DENO_NO_UPDATE_CHECK=1 NO_COLOR=1

# The suites that have a version now; it moves from experimental to sid, to forky.
declare -A suites=([3.0]=trixie [3.2]=forky,sid [3.4]=sid,experimental)
haproxies=()
[ -n "$found_haproxy" ] || haproxies=(3.2)
programs=()
if [ "$level" = --tests ]; then
  haproxies=(3.0 3.2 3.4)
  programs=(curl podman pebble pebble-2.4 acme.sh faketime shells unit-checkers chromium)
fi

# Asked for before anything starts, so that what is missing is said in one line.
[ -x "$deno" ] || need_npm
for folder in "${haproxies[@]/#/haproxy-}" "${programs[@]}"; do [ -d "$cache/$folder" ] || need_debian; done
if [ "$level" = --tests ]; then
  for folder in "$(clients_folder)" "axe-$AXE"; do [ -d "$cache/$folder" ] || need_npm; done
  programs+=(clients axe)
fi

bring_deno_and_dependencies &
jobs+=($!)
for version in "${haproxies[@]}"; do
  bring_haproxy "$version" "${suites[$version]}" &
  jobs+=($!)
done
for program in "${programs[@]}"; do
  "bring_$program" &
  jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job" || exit 1; done

# assign NAME FOLDER/FILE: a line for env.sh, where the cache has that file.
assign() { [ ! -e "$cache/$2" ] || echo "export $1=\"\$_cache/$2\""; }
{
  echo '# Written by scripts/setup.sh, to be sourced by bash. The paths follow the place of this file.'
  echo '_cache=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)'
  echo 'export DENO_DIR="$_cache/deno" DENO_NO_UPDATE_CHECK=1'
  [ ! -e "$cache/ca-store" ] || echo "export DENO_TLS_CA_STORE=\${DENO_TLS_CA_STORE:-$(cat "$cache/ca-store")}"
  if [ -n "$found_deno" ]; then printf 'export DENO=%q\n' "$found_deno"; else assign DENO "deno-$DENO_VERSION/deno"; fi
  case $(cat "$cache/compile-$DENO_VERSION" 2>/dev/null) in
    own) echo 'export DENO_COMPILE="$DENO"' ;;
    pair) assign DENO_COMPILE "deno-$PAIR_DENO/deno" && assign DENORT_BIN "denort-$PAIR_DENORT/denort" ;;
  esac
  if [ -n "$found_haproxy" ]; then printf 'export HAPROXY=%q\n' "$found_haproxy"; else assign HAPROXY haproxy-3.2/bin/haproxy; fi
  for version in "${!suites[@]}"; do assign "HAPROXY_${version/./_}" "haproxy-$version/bin/haproxy"; done
  assign CURL_HTTP3 curl/bin/curl
  assign PODMAN podman/bin/podman
  for version in "" -2.4; do
    name=PEBBLE${version//[-.]/_}
    assign "$name" "pebble$version/bin/pebble"
    assign "${name}_CHALLTESTSRV" "pebble$version/bin/pebble-challtestsrv"
  done
  assign ACME_SH acme.sh/root/usr/bin/acme.sh
  assign LIBFAKETIME "$(cd "$cache" && echo faketime/root/usr/lib/*/faketime/libfaketimeMT.so.1)"
  assign SYSTEMD_ANALYZE unit-checkers/bin/systemd-analyze
  assign QUADLET unit-checkers/bin/quadlet
  assign CHROMIUM chromium/bin/chromium
  assign AXE "axe-$AXE/axe.min.js"
  assign TEST_ZSH shells/bin/zsh
  assign TEST_FISH shells/bin/fish
  assign CLIENTS "$(clients_folder)"
  echo 'unset _cache'
} >"$temp/env.sh"
cmp -s "$temp/env.sh" "$cache/env.sh" || mv "$temp/env.sh" "$cache/env.sh"
