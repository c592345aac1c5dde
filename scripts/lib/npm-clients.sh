#!/usr/bin/env bash
# npm-clients.sh FOLDER: fills the folder with the npm packages of tests/clients/package-lock.json.
# No code of theirs runs, and npm's own cache is left alone. Needs npm.
set -euo pipefail
folder=$1

mkdir -p "$folder"
cp tests/clients/package.json tests/clients/package-lock.json "$folder"
cd "$folder"
export npm_config_cache=$folder/cache npm_config_update_notifier=false npm_config_loglevel=error
# What is optional is bundlers and a keyring, as machine code: the programs run without.
npm ci --ignore-scripts --omit=optional --no-audit --no-fund
rm -rf "$folder/cache"
