#!/usr/bin/env bash
# bench.sh: measures against a baseline of the same run, and prints it; set-up included. Nothing fails for being slow:
# machines are shared and noisy.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/need.sh
[ $# -eq 0 ] || fail "usage: bench.sh"

bash scripts/setup.sh --tests
bash scripts/compile.sh
. .cache/env.sh
export HAPROXY_MCP=$PWD/dist/haproxy-mcp NO_COLOR=1
"$DENO" run --frozen --no-check --no-prompt --quiet \
  --allow-read --allow-write --allow-net --allow-env --allow-run tests/bench/certificates.ts
