#!/usr/bin/env bash
# install.sh [OPTION...] [-- INIT-OPTION...]: haproxy-mcp as a service of this machine, run as root. What follows -- goes to
# `haproxy-mcp init`, such as --mcp-host mcp.example.com. Run again it brings the executable and the units up to date, and
# finishes what a run before has left undone.
#   --haproxy        the distribution's haproxy.service shall serve what init writes
#   --quadlet        HAProxy shall run in Podman, by haproxy.container
#                    (neither: only the agent; a HAProxy that runs is left as it is)
#   --reload WAY     gives the agent what HAPROXY_RELOAD=podman or systemd needs: more rights (docs/install.md)
#   --root DIR       HAPROXY_ROOT; the installed agent's where it is not told, /opt/haproxy where there is none
#   --binary FILE    the executable; beside this script or in dist/ where it is not told
#   --dry-run        prints each command and runs none
#   --destdir DIR    puts all below DIR, the root too where it is not told; makes no user and calls no systemctl
#   --uninstall      takes the agent away again. HAProxy serves on, and the root with all its files stays
# An installation of the original (Python) haproxy-mcp is taken over: its unit is kept beside ours, its files are read.
set -euo pipefail
umask 022 # the agent's user has to get into what root makes

user="haproxy-mcp" unit="haproxy-mcp.service"
mark="written by haproxy-mcp init" # in the first line of each unit of its

fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}
say() { printf '%s\n' "$*"; }

# run COMMAND...: or what it would be.
run() {
  if [ "$dry" = 0 ]; then "$@"; else printf '+%s\n' "$(printf ' %q' "$@")"; fi
}
# systemd COMMAND...: systemctl, where there is a systemd that runs this machine.
systemd() { [ -n "$destdir" ] || run systemctl "$@"; }

is_ours() { [ -e "$1" ] && head -n 1 "$1" | grep -qF "$mark"; }
# A program of the same name may be another's: the original's is a script of Python.
is_our_executable() { [ "$(head -c 4 "$1" 2>/dev/null | tail -c 3)" = ELF ] && grep -qaF haproxy_list_domains "$1"; }

# put SOURCE TARGET MODE [UNIT]: a copy by rename, so that a running executable is no obstacle. UNIT has to be restarted for
# it. Sets `changed` where it was none.
put() {
  if [ -e "$1" ] && cmp -s "$1" "$2"; then return; fi
  changed=1
  [ -z "${4:-}" ] || [ -n "$destdir" ] || run touch "$(debt_of "$4")"
  run mkdir -p "$(dirname "$2")"
  run install -m "$3" "$1" "$2.new"
  run mv "$2.new" "$2"
}

# renew SOURCE TARGET [UNIT]: as put, for what an earlier run for this root has put there.
renew() {
  if [ -e "$1" ] && is_ours "$2" && grep -qF "$root/" "$2"; then put "$1" "$2" 644 "${3:-}"; fi
}

# A file that is there for as long as UNIT has to be restarted. A reboot does that, too.
debt_of() { echo "/run/$1.to-be-restarted"; }

# start UNIT: or restart it, where it has to be: also for what a run before has put, which failed before it came to this.
start() {
  [ -z "$destdir" ] || return 0
  if [ ! -e "$(debt_of "$1")" ] && { [ "$dry" = 0 ] || [ "$changed" = 0 ]; }; then
    systemd start "$1"
  else
    systemd restart "$1" && run rm -f "$(debt_of "$1")"
  fi
}

# keep TARGET: moves what is another's out of the way.
keep() {
  local kept=$1.original
  [ ! -e "$kept" ] || kept=$kept.$(date +%Y%m%d%H%M%S)
  run mv "$1" "$kept"
  say "$1 was another's: it is $kept now."
}

find_binary() {
  local here path
  here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  for path in "$here/haproxy-mcp" "$here/haproxy-mcp-$(uname -m)" "$here/../dist/haproxy-mcp"; do
    [ ! -f "$path" ] || { echo "$path" && return; }
  done
  fail "there is no executable beside this script and none in dist/. Name it by --binary, or make it: scripts/compile.sh"
}

check_service() {
  local folder file="" version
  for folder in /etc /usr/lib /lib; do
    [ -n "$file" ] || [ ! -e "$folder/systemd/system/haproxy.service" ] || file=$folder/systemd/system/haproxy.service
  done
  [ -n "$file" ] || fail "there is no haproxy.service. Install HAProxy 3.0 or newer, or let it run in Podman: --quadlet"
  grep -q '^ExecStart=.*\$CONFIG.*\$EXTRAOPTS' "$file" ||
    fail "$file is not like Debian's: it takes no CONFIG and EXTRAOPTS. Start HAProxy by a unit of your own (docs/install.md)."
  ! grep -qE '^[[:space:]]*(CONFIG|EXTRAOPTS)=' /etc/default/haproxy 2>/dev/null ||
    fail "/etc/default/haproxy sets CONFIG or EXTRAOPTS, which would win over ours. Take them out and run this again."
  version=$(PATH=$PATH:/usr/local/sbin:/usr/sbin haproxy -v 2>/dev/null | sed -n '1s/.* version \([0-9]*\)\..*/\1/p') || true
  [ "${version:-0}" -ge 3 ] || fail "HAProxy 3.0 or newer is needed, and \`haproxy -v\` says ${version:-nothing}."
  ! is_ours "$quadlet_file" || fail "HAProxy runs in Podman by $quadlet_file: remove that file first."
}

check_quadlet() {
  [ -e /usr/libexec/podman/quadlet ] || [ -e /usr/lib/podman/quadlet ] ||
    fail "there is no Podman with quadlets. Install Podman 4.4 or newer."
  [ ! -e "$quadlet_file" ] || is_ours "$quadlet_file" ||
    fail "$quadlet_file is another's, so HAProxy runs from it already. Leave --quadlet away, or move that file."
}

# The original's program, with links of its .venv that lead out of the root, which the agent does not start with. Sets
# `moved` to where it is then.
move_program() {
  local link
  [ -d "$root/haproxy_mcp" ] || return 0
  while IFS= read -r link; do
    case $(readlink -m "$link") in "$root"/*) continue ;; esac
    moved=$root.python
    [ ! -e "$moved" ] || moved=$moved.$(date +%Y%m%d%H%M%S)
    run mv "$root/haproxy_mcp" "$moved"
    say "The original's program is $moved now: links in it lead out of $root."
    return
  done < <(find "$root/haproxy_mcp" -type l)
}

# The uid and gid of a HAProxy whose master is not root's; nothing where none runs, or one that is root's.
other_haproxy() {
  # shellcheck disable=SC2016 # awk's
  ps -C haproxy -o pid=,ppid=,uid=,gid= 2>/dev/null | awk '
    { parent[$1] = $2; ids[$1] = $3 " " $4; if ($3 == 0) root = 1 }
    END { if (!root) for (pid in ids) if (!(parent[pid] in ids)) { print ids[pid]; exit } }' || true
}

# What the agent writes right in conf/, as arguments of find: the usual names, and those of settings. All else there is
# root's: HAProxy and systemd may take it from there (lib/init/units.ts has the same list).
find_agent_files() {
  local name path
  wanted=(-name domains.map -o -name servers.json -o -name servers.state -o -name certificates.json -o -name mcp-token.env)
  for name in HAPROXY_MAP_FILE HAPROXY_SERVERS_FILE HAPROXY_SERVER_STATE_FILE HAPROXY_CERTS_FILE MCP_TOKEN_FILE \
    HAPROXY_CRT_LIST HAPROXY_CERTS_DIR HAPROXY_STATE_FILE; do
    path=$(setting "$name" "")
    case $path in "") continue ;; /*) ;; *) path=$root/$path ;; esac
    case ${path#"$root/"} in
      conf/haproxy.cfg | conf/haproxy-mcp.env | certs | certs/* | data/*) ;;
      conf/*/*) say "$name names $path: let $user write that file and its folder." ;;
      conf/*) wanted+=(-o -name "${path##*/}") ;;
      *) say "$name names $path: let $user write that file and its folder." ;;
    esac
  done
}

# The agent owns what it writes, and no more: haproxy.cfg, the unit's settings and the units stay root's, in folders where
# nobody else can put something in their place (conf/ is sticky). Its user may have put links below the root: no command
# here follows one. First the root itself becomes root's: nobody can exchange what lies in it from then on. A HAProxy that
# is not root's makes its sockets in run/: that stays as it is, and the root too where it is a third one's.
give_to_user() {
  [ -z "$destdir" ] || return 0
  local folder file uid="" gid="" wanted
  read -r uid gid < <(other_haproxy) || true
  if [ -z "$uid" ] || [ "$(stat -c %U "$root" 2>/dev/null)" = "$user" ]; then
    run chown "root:$user" "$root"
    run chmod g+rx "$root"
  fi
  for folder in conf certs data run systemd; do
    [ ! -L "$root/$folder" ] || fail "$root/$folder is a symlink: put a folder in its place, and run this again."
  done
  if [ -z "$uid" ]; then
    run chown -h "root:$user" "$root/run"
    run chmod 750 "$root/run"
  else
    say "HAProxy runs as uid $uid: $root/run stays whose it is, since it makes its sockets there. $user has to be let in" \
      "to use one of them."
    [ "$dry" = 1 ] || (cd / && runuser -u "$user" -- test -x "$root") ||
      fail "$user can't enter $root: chmod o+x $root, and run this again."
  fi
  run chown -h "root:$user" "$root/conf"
  run chmod 1775 "$root/conf"
  run chown -R root: "$root/systemd"
  for file in haproxy.cfg haproxy-mcp.env; do
    [ "$dry" = 0 ] && [ ! -e "$root/conf/$file" ] || run chown -h root: "$root/conf/$file"
  done
  find_agent_files
  run find "$root/conf" -mindepth 1 -maxdepth 1 '(' "${wanted[@]}" ')' -exec chown -h "$user:" '{}' +
  run chown -R "$user:" "$root/data"
  run chmod 700 "$root/data"
  if [ -g "$root/certs" ]; then
    run chown -R "$user" "$root/certs"
  elif [ -n "$gid" ]; then
    run chown -R "$user:$gid" "$root/certs"
    run chmod 2750 "$root/certs"
    # By the agent's user: what it may not change itself, a link of its make doesn't change.
    (cd / && run runuser -u "$user" -- find "$root/certs" -maxdepth 1 -type f -name '*.pem' -exec chmod 640 '{}' +)
    say "Group $gid, HAProxy's, can read the keys in $root/certs."
  else
    run chown -R "$user:" "$root/certs"
  fi
}

# HAProxy's own unit, where it is asked for; else what is there already is brought up to date, for HAProxy's next restart.
put_haproxy() {
  local drop_in=$units/haproxy.service.d/haproxy-mcp.conf
  changed=0
  case $haproxy in
    service) put "$root/systemd/haproxy.service.d/haproxy-mcp.conf" "$drop_in" 644 haproxy.service ;;
    quadlet) put "$root/systemd/haproxy.container" "$quadlet_file" 644 haproxy.service ;;
    *)
      renew "$root/systemd/haproxy.service.d/haproxy-mcp.conf" "$drop_in" haproxy.service
      renew "$root/systemd/haproxy.container" "$quadlet_file" haproxy.service
      [ "$changed" = 0 ] || say "HAProxy's unit is a newer one, which counts from its next restart on: systemctl restart haproxy"
      ;;
  esac
}

# setting NAME DEFAULT: as the unit's settings have it.
setting() {
  local value
  value=$(sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$root/conf/haproxy-mcp.env" 2>/dev/null | tail -n 1)
  echo "${value:-$2}"
}

# answers PATH: the agent answers it with 200. The shell's own sockets, as not every machine has curl.
answers() {
  # shellcheck disable=SC2016 # the inner shell's
  [[ $(timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" "$3" >&3 && head -n 1 <&3' \
    bash "$address" "$port" "$1" 2>/dev/null) == *" 200 "* ]]
}

# complain UNIT WHAT: with the unit's last words.
complain() {
  journalctl -u "$1" -n 5 -o cat --no-pager >&2 || true
  fail "$2 (see above, or journalctl -u $1)."
}

wait_until_ready() {
  local address port tries
  [ -z "$destdir" ] || return 0
  address=$(setting MCP_HOST 127.0.0.1) port=$(setting MCP_PORT 8000)
  case $address in 0.0.0.0 | ::) address=127.0.0.1 ;; esac
  say "Waiting for the agent at $address:$port."
  for ((tries = 0; tries < 60; tries++)); do
    if answers /readyz; then
      say "Ready: HAProxy answers, and holds what the files say."
      return
    fi
    ! systemctl is-failed --quiet "$unit" || break
    sleep 0.5
  done
  answers /healthz || complain "$unit" "the agent does not run"
  [ -z "$haproxy" ] || complain haproxy.service "the agent runs, but HAProxy does not answer it"
  say "The agent runs. HAProxy does not answer it yet, or does not hold what the files say: see above for how to start it," \
    "and docs/install.md for one that runs already."
}

next_steps() {
  local port at=""
  port=$(setting MCP_PORT 8000)
  [ "$root" = /opt/haproxy ] || at=" --root $root"
  say "
What now:
  settings      $root/conf/haproxy-mcp.env, then: systemctl restart haproxy-mcp
  log           journalctl -u haproxy-mcp
  token         $root/conf/mcp-token.env
  first domain  haproxy-mcp call haproxy_add_domain --domain example.com --ip 10.0.0.1$at
  a client      claude mcp add --transport http haproxy http://HOST:$port/mcp --header \"Authorization: Bearer TOKEN\""
}

install_all() {
  [ -n "$binary" ] || binary=$(find_binary)
  [ -f "$binary" ] || fail "there is no $binary."
  binary=$(readlink -f "$binary")
  [ -x "$binary" ] || fail "$binary is not executable: chmod +x $binary"
  "$binary" --version >/dev/null || fail "$binary does not run on this machine ($(uname -m), glibc 2.27 or newer is needed)."
  [ -n "$destdir" ] || [ -z "$haproxy" ] || "check_$haproxy"

  local init=(init --root "$root" --systemd) another=0 moved="" config
  config=${HAPROXY_CONFIG_FILE:-$(setting HAPROXY_CONFIG_FILE "$root/conf/haproxy.cfg")}
  [ "$haproxy" != service ] || [ "$config" = "$root/conf/haproxy.cfg" ] ||
    fail "--haproxy lets HAProxy read $root/conf/haproxy.cfg, and HAPROXY_CONFIG_FILE names $config: leave one of the two away."
  if [ "$haproxy" = quadlet ] || { [ -z "$haproxy" ] && is_ours "$quadlet_file" && grep -qF "$root/" "$quadlet_file"; }; then
    init+=(--quadlet)
  fi
  "$binary" "${init[@]}" "$@" --print >/dev/null

  if [ -e "$units/$unit" ] && ! is_ours "$units/$unit"; then another=1; fi
  [ -n "$destdir" ] || getent passwd "$user" >/dev/null ||
    run useradd --system --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin "$user"
  # Two must not write the same files. Its unit still lies in its place, as init reads the settings in it.
  [ "$another" = 0 ] || systemd stop "$unit"
  move_program
  # What it says is to be done is what follows here.
  if ! run "$binary" "${init[@]}" "$@" | sed '/^As root, all of which/,/^  systemctl enable --now/d'; then
    run_on "init did not do it (see above)."
  fi
  # Before anything is exchanged or restarted for it.
  [ "$haproxy" != service ] || run env PATH="$PATH:/usr/local/sbin:/usr/sbin" haproxy -c -q -f "$root/conf/haproxy.cfg" ||
    run_on "HAProxy does not take $root/conf/haproxy.cfg (see above)."
  give_to_user
  [ ! -e "$bin/haproxy-mcp" ] || is_our_executable "$bin/haproxy-mcp" || keep "$bin/haproxy-mcp"
  if [ "$another" = 1 ]; then
    systemd disable "$unit"
    keep "$units/$unit"
    [ ! -d "$units/$unit.d" ] || keep "$units/$unit.d"
  fi
  put_haproxy
  local haproxy_changed=$changed
  changed=0
  put "$binary" "$bin/haproxy-mcp" 755 "$unit"
  put "$root/systemd/$unit" "$units/$unit" 644 "$unit"
  if [ "$reload" = podman ]; then
    put "$root/systemd/$unit.d/podman.conf" "$units/$unit.d/podman.conf" 644 "$unit"
  else
    renew "$root/systemd/$unit.d/podman.conf" "$units/$unit.d/podman.conf" "$unit"
  fi
  if [ "$reload" = systemd ]; then
    put "$root/systemd/50-haproxy-mcp.rules" "$rules/50-haproxy-mcp.rules" 644 "$unit"
  else
    renew "$root/systemd/50-haproxy-mcp.rules" "$rules/50-haproxy-mcp.rules" "$unit"
  fi
  systemd daemon-reload
  systemd enable "$unit"
  # Before HAProxy, which may not come up: the agent waits for it.
  start "$unit"
  if [ -n "$haproxy" ]; then
    changed=$haproxy_changed
    if [ "$haproxy" = service ]; then systemd enable haproxy.service; fi
    start haproxy.service || complain haproxy.service "HAProxy does not start. Put that right, and run this again"
  fi
  if [ "$dry" = 1 ]; then return; fi
  wait_until_ready
  next_steps
}

# run_on WHY: ends before anything was exchanged.
run_on() {
  [ -z "$moved" ] || run mv "$moved" "$root/haproxy_mcp"
  [ "$another" = 0 ] || systemd start "$unit"
  fail "$1 What ran before runs on."
}

# take_away FILE: of ours.
take_away() { ! is_ours "$1" || run rm -f "$1"; }

uninstall() {
  if [ -e "$units/$unit" ]; then
    is_ours "$units/$unit" || fail "$units/$unit is another's: it is left alone."
    systemd disable --now "$unit"
    run rm -f "$units/$unit"
  fi
  take_away "$units/$unit.d/podman.conf"
  take_away "$rules/50-haproxy-mcp.rules"
  if is_our_executable "$bin/haproxy-mcp"; then
    run rm -f "$bin/haproxy-mcp"
  elif [ -e "$bin/haproxy-mcp" ]; then
    say "$bin/haproxy-mcp is another's: it is left alone."
  fi
  [ ! -d "$units/$unit.d" ] || run rmdir --ignore-fail-on-non-empty "$units/$unit.d"
  systemd daemon-reload
  [ -n "$destdir" ] || [ ! -e "$(debt_of "$unit")" ] || run rm -f "$(debt_of "$unit")"
  say "The agent is gone. What stays: $root with all its files, the user $user, and HAProxy, which serves on."
  if is_ours "$quadlet_file"; then
    say "To end HAProxy too: systemctl stop haproxy; rm $quadlet_file; systemctl daemon-reload"
  elif is_ours "$units/haproxy.service.d/haproxy-mcp.conf"; then
    say "To give HAProxy back its own configuration: rm $units/haproxy.service.d/haproxy-mcp.conf;" \
      "systemctl daemon-reload; systemctl restart haproxy"
  fi
  for kept in "$units/$unit".original* "$bin/haproxy-mcp".original*; do
    [ ! -f "$kept" ] || say "What was there before is $kept."
  done
}

root="" binary="" haproxy="" reload="" destdir="" dry=0 act=install changed=0
while [ $# -gt 0 ]; do
  case $1 in
    --haproxy | --quadlet)
      [ -z "$haproxy" ] || fail "--haproxy and --quadlet exclude each other."
      if [ "$1" = --haproxy ]; then haproxy=service; else haproxy=quadlet; fi
      ;;
    --root | --binary | --destdir | --reload)
      [ $# -ge 2 ] && [ -n "$2" ] || fail "$1 needs a value. See --help."
      declare "${1#--}=$2"
      shift
      ;;
    --dry-run) dry=1 ;;
    --uninstall) act=uninstall ;;
    --help | -h) sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit ;;
    --) shift && break ;;
    *) fail "unknown option $1. See --help." ;;
  esac
  shift
done
case $reload in "" | podman | systemd) ;; *) fail "--reload is podman or systemd." ;; esac
[ -z "$destdir" ] || destdir=$(readlink -m "$destdir")
bin=$destdir/usr/local/bin units=$destdir/etc/systemd/system rules=$destdir/etc/polkit-1/rules.d
quadlet_file=$destdir/etc/containers/systemd/haproxy.container
if [ -z "$root" ] && is_ours "$units/$unit"; then root=$(sed -n 's/^Environment=HAPROXY_ROOT=//p' "$units/$unit" | head -n 1); fi
root=${root:-$destdir/opt/haproxy}
case $root in /*) ;; *) fail "--root has to be an absolute path." ;; esac
root=${root%/}
[ "$act" = install ] || [ $# = 0 ] || fail "what follows -- goes to init: nothing of it with --uninstall."

if [ -z "$destdir" ] && [ "$dry" = 0 ]; then
  [ "$(id -u)" = 0 ] || fail "it has to be run as root. --dry-run shows what it would do."
  [ -d /run/systemd/system ] || fail "systemd does not run this machine. --destdir DIR shows what it would put where."
fi
if [ "$act" = install ]; then install_all "$@"; else uninstall; fi
