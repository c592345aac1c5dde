#!/usr/bin/env bash
# release-notes.sh TAG: what CHANGELOG.md says of this release, for the release's page. Fails where the tag is not `v` and
# the version of deno.json, or the version has no heading there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/need.sh
[ $# = 1 ] || fail "usage: release-notes.sh TAG"

version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' deno.json)
[ "$1" = "v$version" ] || fail "the tag is $1, and deno.json has the version $version."
notes=$(awk -v heading="## [$version]" '
  index($0, "## [") == 1 { inside = index($0, heading) == 1; next }
  inside && !/^\[.*\]: / { print }
' CHANGELOG.md)
[ -n "${notes//[[:space:]]/}" ] ||
  fail "CHANGELOG.md says nothing of $version. Give what is Unreleased the heading: ## [$version] - $(date +%F)"
printf '%s\n' "$notes" | sed '/./,$!d'
