# shellcheck shell=bash
# Sourced by test.sh and soak.sh. Needs need.sh.
. scripts/lib/summary.sh

# run_tests FILTER DOCUMENT PATH...: the tests of these paths whose name holds FILTER, '' for all; set-up included. What
# they count is printed as tables at the end, and put into DOCUMENT, '' for none. The last line is `N passed, N failed`;
# fails when anything failed, or a count that has to be 0 is not.
run_tests() {
  local filter=$1 document=$2 product compiled=0 status=0 started=$SECONDS
  shift 2
  bash scripts/setup.sh --tests
  bash scripts/compile.sh & # side by side: neither keeps a machine busy
  product=$!
  bash scripts/compile.sh --test || compiled=$?
  wait "$product" || compiled=$?
  [ "$compiled" = 0 ] || fail "the executables could not be compiled (see above)."

  . .cache/env.sh
  export HAPROXY_MCP=$PWD/dist/haproxy-mcp HAPROXY_MCP_TEST=$PWD/dist/haproxy-mcp-test NO_COLOR=1
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  # Tests wait more than they work: several files run at a time, and none of them gets a port of another.
  export DENO_JOBS=${DENO_JOBS:-$(($(nproc) + 1))}
  export HAPROXY_MCP_TEST_PORTS=$work/ports HAPROXY_MCP_EVIDENCE=$work/evidence
  mkdir "$HAPROXY_MCP_TEST_PORTS"
  touch "$HAPROXY_MCP_EVIDENCE"
  "$DENO" test --parallel --frozen --no-check --no-prompt ${filter:+--filter "$filter"} \
    --allow-read --allow-write --allow-net --allow-env --allow-run --allow-sys \
    --deny-ffi --deny-import "$@" </dev/null | tee "$work/log" || status=$?
  [ "$status" = 0 ] || document= # a run that failed is no evidence
  "$DENO" run --frozen --no-prompt --allow-read --allow-write scripts/evidence.ts "$HAPROXY_MCP_EVIDENCE" \
    ${document:+--into "$document"} || status=$?
  ! grep -q '^ok | 0 passed' "$work/log" || echo "There is no test whose name holds \"$filter\"."
  echo "The tests took $(((SECONDS - started) / 60)) min $(((SECONDS - started) % 60)) s, set-up included."
  summary "$status" <"$work/log"
}
