# shellcheck shell=bash
# Sourced by the scripts: how they fail, and what they ask of the machine.

# fail SENTENCE...: one line that says what is wrong and what to do, then the end.
fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# need COMMAND DEBIAN-PACKAGE: a missing prerequisite is named together with what brings it.
need() {
  command -v "$1" >/dev/null || fail "$1 is missing. Install it (Debian: apt-get install $2) and run this again."
}
