#!/usr/bin/env bash
# chromium.sh FOLDER: Debian's headless Chromium with all that it needs, its fonts included, as FOLDER/bin/chromium.
# Needs what debian-root.sh needs.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")

# Debian replaces it at each point release of the suite, so no version can be named for long.
bash "$here/debian-root.sh" "$1" chromium-headless-shell trixie chromium-headless-shell
dir=$(cd "$1" && pwd)
libraries=$(cd "$dir" && dirname root/usr/lib/*/libc.so.6)
# Of a graphics card's driver, which nobody uses here: a third of it all.
rm -f "$dir/$libraries"/lib{LLVM,gallium,z3}[-.]*
rm "$dir/bin/chromium-headless-shell"
# It looks for its own files beside what the kernel says it is, which is the loader.
cp "$dir/$libraries"/ld-linux-*.so.* "$dir/root/usr/lib/chromium/loader"
# Its children are started by the wrapper, too, each for itself: a zygote would look for the program by its own path.
cat >"$dir/bin/chromium" <<WRAPPER
#!/bin/sh
case \$0 in /*) self=\$0 ;; *) self=\$PWD/\$0 ;; esac
here=\${self%/bin/*}
export FONTCONFIG_SYSROOT="\$here/root"
exec "\$here/root/usr/lib/chromium/loader" --argv0 "\$self" \\
  --library-path "\$here/$libraries:\$here/$libraries/pulseaudio" \\
  "\$here/root/usr/lib/chromium/chromium-headless-shell" --no-zygote --browser-subprocess-path="\$self" "\$@"
WRAPPER
chmod +x "$dir/bin/chromium"
