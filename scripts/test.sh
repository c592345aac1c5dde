#!/usr/bin/env bash
# test.sh [FILTER]: all tests, or those whose name holds FILTER (or matches it, as /regular expression/); set-up
# included. They run against real HAProxies of three versions and the compiled executable. What they count (crash
# points, inputs, requests) is printed as tables at the end; soak.sh runs the same in full. Pictures of the status page
# are left in dist/screenshots/.
# Types are checked by .ci/run. The last line is `N passed, N failed`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/need.sh
. scripts/lib/tests.sh
case $#${1:-} in 0 | 1[!-]*) ;; *) fail "usage: test.sh [FILTER]" ;; esac

run_tests "${1:-}" "" tests/
