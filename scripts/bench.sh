#!/usr/bin/env bash
# bench.sh [--short] [ROW...]: measures against baselines of the same run, the bare socket and peers, and prints a table;
# set-up included. Nothing fails for being slow: machines are shared and noisy. All rows in full take about ten minutes and
# go into docs/performance.md; --short only tries whether each row works.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/need.sh
case ${1:-} in --short | [!-]* | "") ;; *) fail "usage: bench.sh [--short] [ROW...]" ;; esac

bash scripts/setup.sh --tests
bash scripts/compile.sh
. .cache/env.sh
export HAPROXY_MCP=$PWD/dist/haproxy-mcp NO_COLOR=1
document=docs/performance.md
[ $# = 0 ] || document=
"$DENO" run --frozen --no-check --no-prompt --quiet \
  --allow-read --allow-write --allow-net --allow-env --allow-run --allow-sys --deny-ffi --deny-import \
  tests/bench/main.ts ${document:+--into "$document"} "$@"
