# shellcheck shell=bash
# Sourced by test.sh.

# summary STATUS <OUTPUT: from what `deno test` printed and its exit status, the line `N passed, N failed`, with
# `, N skipped` where there are ignored tests. Its own last line is the count: the JUnit report counts steps as
# tests and leaves out modules that could not be loaded. A run that failed without a failed test (types, a crash)
# counts as one failed, and so does a run of no test at all. Fails when anything failed.
summary() {
  local passed=0 failed=0 skipped=0 last
  last=$(grep -E '^(ok|FAILED) \| [0-9]+ passed' | tail -n 1) || true
  if [[ $last =~ \|\ ([0-9]+)\ passed.*\|\ ([0-9]+)\ failed ]]; then
    passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]}
  fi
  if [[ $last =~ \|\ ([0-9]+)\ ignored ]]; then skipped=${BASH_REMATCH[1]}; fi
  if [ "$failed" = 0 ] && { [ "$1" != 0 ] || [ "$passed" = 0 ]; }; then failed=1; fi
  echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
  [ "$failed" = 0 ]
}
