#!/usr/bin/env bash
# npm-file.sh PACKAGE@VERSION PATH FILE SHA512: writes the file PATH of an npm package to FILE, executable, by rename.
# SHA512 is its tarball's, hexadecimal: another one than was looked at here is refused, whatever the registry says of it.
# No code of the package runs, and npm's own cache is left alone. Needs npm and tar.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
package=$1 path=$2 file=$3 sha512=$4

mkdir -p "$(dirname "$file")"
temp=$(mktemp -d "$file.XXXXXX")
trap 'rm -rf "$temp"' EXIT
export npm_config_cache=$temp/cache npm_config_update_notifier=false npm_config_loglevel=error
(cd "$temp" && npm pack --silent "$package" >/dev/null && mv ./*.tgz tarball) ||
  fail "npm did not bring $package. Look whether \`npm view $package\` answers, and run this again."
echo "$sha512  $temp/tarball" | sha512sum --check --quiet >/dev/null 2>&1 ||
  fail "the $package that npm brought is not the one expected (sha512 $sha512). Nothing was kept."
tar -xzf "$temp/tarball" -C "$temp" "package/$path" || fail "$package has no file $path."
chmod 755 "$temp/package/$path"
mv "$temp/package/$path" "$file"
