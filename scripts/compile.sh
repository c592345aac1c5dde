#!/usr/bin/env bash
# compile.sh [--test] [--target TRIPLE] [-o OUT]: makes dist/haproxy-mcp, one executable; set-up included.
#   --test     dist/haproxy-mcp-test: the same, with the rooms of tests/support/rooms
#   --target   x86_64-unknown-linux-gnu or aarch64-unknown-linux-gnu (default: this machine's)
#   -o OUT     writes to OUT, whether or not anything changed; dist/ is left as it is when nothing did
# Beside the executable lie its .sha256 (for `sha256sum -c`), its .cdx.json (what it is made of, CycloneDX) and its
# .licences.txt, which it also prints itself (`haproxy-mcp licences`). The same sources give the same bytes of all four.
set -euo pipefail
here=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib/need.sh

usage="usage: compile.sh [--test] [--target x86_64-unknown-linux-gnu|aarch64-unknown-linux-gnu] [-o OUT]"
native=$(uname -m)-unknown-linux-gnu
target=$native name=haproxy-mcp out=
front=lib/front/worker.ts tools=tools/worker.ts acme=lib/certificates/acme/worker.ts sources=(main.ts lib tools)
while [ $# -gt 0 ]; do
  case $1 in
    --test)
      name=haproxy-mcp-test
      front=tests/support/rooms/front_worker.ts tools=tests/support/rooms/tools_worker.ts
      acme=tests/support/rooms/acme_worker.ts
      sources+=(tests/support)
      ;;
    --target | -o)
      [ $# -ge 2 ] || fail "$usage"
      if [ "$1" = -o ]; then out=$2; else target=$2; fi
      shift
      ;;
    *) fail "$usage" ;;
  esac
  shift
done
case $target in
  x86_64-unknown-linux-gnu | aarch64-unknown-linux-gnu) ;;
  *) fail "$usage" ;;
esac

bash scripts/setup.sh --compile
. .cache/env.sh
export NO_COLOR=1
[ "$target" = "$native" ] || [ -z "${DENORT_BIN:-}" ] ||
  fail "no executable for $target from here: Deno's base for it cannot be downloaded, and the one from npm is for $native."

stamp=
if [ -z "$out" ]; then
  [ "$target" = "$native" ] || name=$name-${target%%-*}
  out=$PWD/dist/$name stamp=$PWD/dist/.$name.inputs
else
  case $out in /*) ;; *) out=$here/$out ;; esac
fi
sources+=(deno.json deno.lock LICENSE scripts/compile.sh scripts/catalogue.ts scripts/describe.ts scripts/lib)
# The commit that last changed any of these, for --version: others change no byte of the executable.
commit=$(git log -1 --format=%H -- "${sources[@]}" 2>/dev/null | cut -c 1-12) || commit=
if [ -n "$commit" ] && [ -n "$(git status --porcelain -- "${sources[@]}")" ]; then commit=$commit-dirty; fi
# The executable depends on these files and on the two Denos, whose paths name their versions.
inputs=$(
  {
    "$DENO" --version && echo "$DENO_COMPILE ${DENORT_BIN:-} $commit"
    find "${sources[@]}" -type f -print0 | sort -z | xargs -0 sha256sum
  } | sha256sum
)
report() { echo "$out: $(stat -c %s "$out") bytes, sha256 $(sha256sum <"$out" | cut -c 1-64)"; }
complete() { [ -x "$out" ] && [ -e "$out.sha256" ] && [ -e "$out.cdx.json" ] && [ -e "$out.licences.txt" ]; }
if [ -n "$stamp" ] && complete && [ "$inputs" = "$(cat "$stamp" 2>/dev/null)" ]; then
  report
  exit
fi

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.XXXXXX") # beside OUT, so that the executable gets its place by one rename
trap 'rm -rf "$work"' EXIT

# Bundled first, the executable starts in half the time and carries no npm tree. main.js looks for the rooms'
# bundles beside itself. An empty deno.json keeps one of a folder above from being found. The source maps say which
# packages are inside; they stay here.
mkdir "$work/bundles" "$work/main"
bundlers() { (cd "$DENO_DIR" && find dl -type f | sort); }
pinned=$(bundlers)
"$DENO" bundle --quiet --frozen --platform deno --minify --sourcemap external \
  --outdir "$work/bundles" main.ts "$front" "$tools" "$acme" >&2
[ "$(bundlers)" = "$pinned" ] ||
  fail "Deno fetched another esbuild than setup.sh: pin the one that this Deno wants there, and remove $DENO_DIR/dl."
mv "$work/bundles/main.js" "$work/main/main.js"
mv "$work/bundles/${front%.ts}.js" "$work/main/front_worker.js"
mv "$work/bundles/${tools%.ts}.js" "$work/main/tools_worker.js"
mv "$work/bundles/${acme%.ts}.js" "$work/main/acme_worker.js"
echo '{}' >"$work/main/deno.json"
"$DENO" run --quiet --frozen --no-check --no-prompt --allow-read="$work" scripts/catalogue.ts \
  "$work/main/tools_worker.js" >"$work/main/catalogue.json" || fail "the tools can't be listed (see above)."

# base_versions: the JSON of `Deno.version` in what `deno compile` appends to.
base_versions() {
  local program='console.log(JSON.stringify(Deno.version))'
  if [ -n "${DENORT_BIN:-}" ]; then
    echo "$program" >"$work/base.js"
    "$DENO_COMPILE" compile --quiet --no-config --no-check -o "$work/base" "$work/base.js" >&2 && "$work/base"
  else
    "$DENO_COMPILE" eval --no-config "$program"
  fi
}
base=$(base_versions) || fail "no executable for $target: \`deno compile\` failed (see above)."
describe() {
  "$DENO" run --quiet --frozen --no-check --no-prompt --allow-read --allow-write="$work" --allow-env=DENO_DIR \
    scripts/describe.ts "$@" || fail "no executable for $target: what is in it could not be described (see above)."
}
describe licences "$work/bundles" "$base" "$work/main/licences.txt"
echo "$commit" >"$work/main/commit.txt"
touch -d @0 "$work"/main/* # the times are compiled in: the same sources give the same bytes

# What main may do. Paths and ports are settings, so they can't be baked in; the rooms get theirs, computed from the
# settings, at start (lib/supervisor). Denied is what no set-up needs:
# - writing where the system keeps its programs and configuration. HAPROXY_ROOT cannot lie there; it can below
#   /opt, /srv, /var, /home, /root, /run, /mnt and the temporary folder.
# - reading secrets that are never HAProxy's. /root itself stays readable, as a HAPROXY_ROOT below it is usual where
#   everything runs as root.
# --no-prompt: nobody at a terminal may grant more. --no-code-cache: the cache is a file of a fixed name in the shared
# temporary folder, which others could put there first.
permissions=(
  --no-prompt --allow-env --allow-net --allow-read --allow-write --allow-run --allow-sys=networkInterfaces,uid
  --deny-ffi --deny-import
  --deny-write=/etc,/usr,/bin,/sbin,/lib,/lib64,/boot,/proc,/sys,/dev,/root/.ssh
  --deny-read=/etc/shadow,/etc/gshadow,/etc/sudoers,/etc/sudoers.d,/etc/ssh,/root/.ssh,/proc/self/mem,/proc/self/environ
)
# Left alone, V8 lets each room keep a lot of garbage for a little speed: 260 MB after 30,000 calls instead of 180, for 6 %.
v8=--max-semi-space-size=8,--heap-growing-percent=100
choose_target=()
[ "$target" = "$native" ] || choose_target=(--target "$target")
(
  cd "$work/main"
  "$DENO_COMPILE" compile --quiet --no-check --no-code-cache --unstable-worker-options --v8-flags="$v8" "${permissions[@]}" \
    "${choose_target[@]}" --include front_worker.js --include tools_worker.js --include acme_worker.js \
    --include catalogue.json --include licences.txt --include commit.txt \
    -o "$work/$name" main.js
) || fail "no executable for $target: \`deno compile\` failed (see above)."
[ "$target" != "$native" ] || "$work/$name" --version >/dev/null ||
  fail "no executable for $target: what \`deno compile\` made does not run (see above). Is DENORT_BIN set for another Deno?"
describe sbom "$work/bundles" "$base" "$work/$name" "$work/sbom"
echo "$(sha256sum <"$work/$name" | cut -c 1-64)  $(basename "$out")" >"$work/sha256"
[ -z "$stamp" ] || rm -f "$stamp"
mv "$work/sbom" "$out.cdx.json"
mv "$work/main/licences.txt" "$out.licences.txt"
mv "$work/sha256" "$out.sha256"
mv "$work/$name" "$out"
[ -z "$stamp" ] || echo "$inputs" >"$stamp"
report
