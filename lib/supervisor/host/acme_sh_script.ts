/**
 * What acme.sh reads with its configuration, in its own shell: so it can be stopped and still takes its TXT records out,
 * and shows no secret in the list of processes. Where a later acme.sh has other functions than these, it works as it would
 * without them.
 */
export const AGENT_SH = String.raw`
# acme.sh reads this several times, also in subshells: those have no traps of their own.
if [ -z "$_hm_home" ]; then
  _hm_home=$LE_CONFIG_HOME
  _hm_parent=$PPID
  # Told to stop, it goes on, and finds every request to the CA failing: it cleans up as after any failure.
  trap '_hm_stop=1' TERM INT HUP
  # Who reads its output may have ended.
  trap '' PIPE
  trap '_hm_exit' EXIT
fi
# Without the CA's host and path in them.
ACCOUNT_KEY_PATH=$_hm_home/account.key
ACCOUNT_JSON_PATH=$_hm_home/account.json
CA_CONF=$_hm_home/ca.conf

_hm_exit() {
  _hm_code=$?
  trap '' TERM INT HUP
  # Once more: the first time Cloudflare may have failed, and acme.sh leaves out the record whose making it could not
  # see through.
  if [ "$dns_entry" ]; then
    case $dns_entries in
      *"$dns_entry"*) ;;
      *) dns_entries="$dns_entries $dns_entry" ;;
    esac
    _clearupdns
  fi
  : >"$_hm_home/ended"
  # Nobody else is there to remove it.
  kill -0 "$_hm_parent" 2>/dev/null || rm -rf "$_hm_home"
  exit "$_hm_code"
}

# The token stays in the environment.
_saveaccountconf_mutable() { :; }
_savedomainconf() {
  case $1 in
    CF_*) ;;
    *) _save_conf "$DOMAIN_CONF" "$@" ;;
  esac
}

sleep() {
  _hm_left=$1
  while [ "$_hm_left" -gt 0 ] && [ -z "$_hm_stop" ]; do
    command sleep 1
    _hm_left=$((_hm_left - 1))
  done
}

# The headers, one of which holds the token, go in by a pipe.
curl() {
  case "$_hm_stop $*" in
    " "* | *" https://api.cloudflare.com/"*) ;;
    *) return 7 ;;
  esac
  _hm_headers=
  _hm_count=$#
  while [ "$_hm_count" -gt 0 ]; do
    if [ "$1" = -H ]; then
      _hm_headers="$_hm_headers$2
"
      shift
      _hm_count=$((_hm_count - 1))
    else
      set -- "$@" "$1"
    fi
    shift
    _hm_count=$((_hm_count - 1))
  done
  printf %s "$_hm_headers" | command curl --max-time 30 -H @- "$@"
}

# HMAC with SHA-256 (RFC 2104) of stdin, as bytes; the EAB key is the second argument, in hex. acme.sh hands it to openssl
# as an argument.
_hmac() {
  _hm_hex=$2
  [ "${"$"}{#_hm_hex}" -le 128 ] || _hm_hex=$(_hm_xor "$_hm_hex" 0 | openssl dgst -sha256 -r | cut -c 1-64)
  while [ "${"$"}{#_hm_hex}" -lt 128 ]; do _hm_hex=${"$"}{_hm_hex}00; done
  _hm_inner=$({ _hm_xor "$_hm_hex" 54; cat; } | openssl dgst -sha256 -r | cut -c 1-64)
  { _hm_xor "$_hm_hex" 92; _hm_xor "$_hm_inner" 0; } | openssl dgst -sha256 -binary
}
# The bytes of HEX, each one XORed with N.
_hm_xor() {
  _hm_rest=$1
  while [ "$_hm_rest" ]; do
    _hm_more=${"$"}{_hm_rest#??}
    printf "\\$(printf %03o "$((0x${"$"}{_hm_rest%"$_hm_more"} ^ $2))")"
    _hm_rest=$_hm_more
  done
}
`;
