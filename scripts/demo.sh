#!/usr/bin/env bash
# demo.sh [--once]: the main job on this machine's loopback, set-up included. Starts HAProxy, three backends and the
# agent under a temporary folder, changes domains and servers through an MCP client, and shows what curl gets.
# Then all of it stays up until Ctrl-C; with --once it ends, with 0 only if every step answered as it should.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/need.sh
once=${1:-}
[ $# -le 1 ] && [[ $once =~ ^(--once)?$ ]] || fail "usage: demo.sh [--once]"
need setsid util-linux

# The keeper cleans up when the pipe `life` closes. This shell alone holds it, so that happens on every way out of
# here, kill -9 included.
root=$(mktemp -d "${TMPDIR:-/tmp}/haproxy-mcp-demo.XXXXXX")
exec {life}> >(exec setsid bash scripts/demo/keeper.sh "$root")
keeper=$!
finish() {
  trap '' INT TERM HUP
  exec {life}>&-
  wait "$keeper"
}
trap 'status=$?; finish; exit "$status"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# run COMMAND...: in a process group of its own, which the keeper ends with all that the command started. Not by
# `set -m`: that would stop a demo started in the background of a terminal.
run() {
  setsid "$@" {life}>&- </dev/null &
  local group=$! status=0
  echo "$group" >&"$life"
  wait "$group" 2>/dev/null || status=$? # silent on signals: the next line says it better
  [ "$status" -le 128 ] || fail "ended in the middle: signal $((status - 128)) came to $1."
  return "$status"
}

echo "Making ready: Deno, HAProxy and dist/haproxy-mcp"
run bash scripts/setup.sh --compile
run bash scripts/compile.sh >/dev/null
. .cache/env.sh
curl=$(command -v curl) || curl=
sh=$(command -v sh)

# It starts programs by sh, so that their output goes straight to files; the rest of the machine is out of its reach.
run "$DENO" run --quiet --frozen --no-check --no-prompt --no-code-cache --deny-ffi --deny-import \
  --allow-net=127.0.0.1 --allow-read="$root" --allow-write="$root" --allow-run="$sh${curl:+,$curl}" \
  --allow-env=HAPROXY_MCP_TEST_PORTS \
  scripts/demo/walk.ts "$root" "$HAPROXY" "$PWD/dist/haproxy-mcp" "$sh" "$curl" "$once"
