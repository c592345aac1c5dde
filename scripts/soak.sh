#!/usr/bin/env bash
# soak.sh [FILTER]: the tests that count, in full: every crash point, many times the sequences, inputs and requests of
# test.sh; or those whose name holds FILTER. Takes hours. Without a FILTER the tables go into docs/reliability.md.
# A random run is repeated with HAPROXY_MCP_SEED=SEED, which each one prints.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/need.sh
. scripts/lib/tests.sh
case $#${1:-} in 0 | 1[!-]*) ;; *) fail "usage: soak.sh [FILTER]" ;; esac

export HAPROXY_MCP_EVIDENCE_FULL=1
document=docs/reliability.md
[ $# = 0 ] || document=
mapfile -t files < <(grep -rlF support/evidence/ --include='*_test.ts' tests/ | sort)
run_tests "${1:-}" "$document" "${files[@]}"
