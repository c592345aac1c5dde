#!/usr/bin/env bash
# npm-file.sh PACKAGE@VERSION PATH FILE: writes the file PATH of an npm package to FILE, executable, by rename.
# No code of the package runs, and npm's own cache is left alone. Needs npm and tar.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
package=$1 path=$2 file=$3

mkdir -p "$(dirname "$file")"
temp=$(mktemp -d "$file.XXXXXX")
trap 'rm -rf "$temp"' EXIT
export npm_config_cache=$temp/cache npm_config_update_notifier=false npm_config_loglevel=error
(cd "$temp" && npm pack --silent "$package" >/dev/null && tar -xzf ./*.tgz "package/$path") ||
  fail "npm did not bring $package. Look whether \`npm view $package\` answers, and run this again."
chmod 755 "$temp/package/$path"
mv "$temp/package/$path" "$file"
