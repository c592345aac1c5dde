#!/usr/bin/env bash
# test.sh [FILTER]: all tests, or those whose name holds FILTER (or matches it, as /regular expression/); set-up
# included. They run against real HAProxies of three versions and the compiled executable.
# Types are checked by .ci/run. The last line is `N passed, N failed`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/need.sh
. scripts/lib/summary.sh
[ $# -le 1 ] || fail "usage: test.sh [FILTER]"

bash scripts/setup.sh --tests
bash scripts/compile.sh & # side by side: neither keeps a machine busy
product=$!
compiled=0
bash scripts/compile.sh --test || compiled=$?
wait "$product" || compiled=$?
[ "$compiled" = 0 ] || fail "the executables could not be compiled (see above)."

. .cache/env.sh
export HAPROXY_MCP=$PWD/dist/haproxy-mcp HAPROXY_MCP_TEST=$PWD/dist/haproxy-mcp-test NO_COLOR=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
"$DENO" test --frozen --no-check --no-prompt ${1:+--filter "$1"} \
  --allow-read --allow-write --allow-net --allow-env --allow-run --allow-sys \
  --deny-ffi --deny-import tests/ </dev/null | tee "$log" || status=$?
summary "$status" <"$log"
