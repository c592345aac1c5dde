#!/usr/bin/env bash
# keeper.sh FOLDER: reads process groups, one a line, until the writer of its stdin is gone. Then it ends the last
# group, waits for it, and removes FOLDER. In a session of its own, it outlives whatever ends the writer.
set -u
trap '' INT TERM HUP
exec >/dev/null
folder=$1 group=
while read -r line; do group=$line; done

# Zombies do not count: nobody may reap an orphan where process 1 is not an init.
group_lives() {
  local stat
  for file in /proc/[0-9]*/stat; do
    { read -r stat <"$file"; } 2>/dev/null || continue
    set -- ${stat##*) } # state, parent, process group
    [ "$3" != "$group" ] || [ "$1" = Z ] || return 0
  done
  return 1
}

if [ -n "$group" ]; then
  for signal in TERM KILL; do
    kill -"$signal" -- "-$group" 2>/dev/null
    for ((tries = 0; tries < 100; tries++)); do
      group_lives || break 2
      sleep 0.1
    done
  done
fi
rm -rf "$folder"
