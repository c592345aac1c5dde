/**
 * What a shell is told once, so that it asks `haproxy-mcp complete` at each press of the tab key. The first line of the
 * answer says what follows: `:words`, a line each, with a tab and what it is about behind it; or that `:files` or `:folders`
 * are wanted.
 */

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = typeof SHELLS[number];

/** In the scripts below `@{` stands for `${`, which would be TypeScript's own. */
const shell = (strings: TemplateStringsArray): string =>
  String.raw(strings).trimStart().replaceAll("@{", "${");

/**
 * bash breaks words at `=` and `:`, and replaces only what stands behind the last of these. So the line itself is split
 * here, and what is answered is cut where bash has cut.
 */
const BASH = shell`
# bash completion of haproxy-mcp: source <(haproxy-mcp completions bash)
_haproxy_mcp() {
  local line=@{COMP_LINE:0:COMP_POINT} words current cut= mark reply candidate
  read -a words <<<"$line" # without -r: a backslash goes from what it protects
  [[ $line != *[[:space:]] ]] || words+=("")
  current=@{words[-1]#[\'\"]}
  mapfile -t reply < <("@{1/#\~/$HOME}" complete -- "@{words[@]:1:@{#words[@]}-2}" "$current" 2>/dev/null)
  COMPREPLY=()
  case @{reply[0]} in
    :files)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      ;;
    :folders)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      ;;
    :words)
      for mark in = :; do
        [[ $COMP_WORDBREAKS != *"$mark"* || $current != "$cut"*"$mark"* ]] || cut=@{current%"@{current##*"$mark"}"}
      done
      for candidate in "@{reply[@]:1}"; do
        candidate=@{candidate%%$'\t'*}
        candidate=@{candidate#"$cut"}
        # Within quotes it is taken as it is.
        [[ $current != "@{words[-1]}" ]] || candidate=$(printf %q "$candidate")
        COMPREPLY+=("$candidate")
      done
      ;;
  esac
}
complete -F _haproxy_mcp haproxy-mcp
`;

const ZSH = shell`
#compdef haproxy-mcp
# zsh completion of haproxy-mcp: a file _haproxy-mcp in a folder of fpath, or source <(haproxy-mcp completions zsh)
_haproxy-mcp() {
  local -a reply shown
  local candidate
  reply=("@{(@f)$("@{(Q)words[1]}" complete -- "@{(@Q)words[2,CURRENT-1]}" "@{(Q)PREFIX}" 2>/dev/null)}")
  case @{reply[1]} in
    :files) _files ;;
    :folders) _files -/ ;;
    :words)
      for candidate in "@{(@)reply[2,-1]}"; do
        shown+=("@{@{candidate%%$'\t'*}//:/\\:}:@{candidate#*$'\t'}")
      done
      _describe -t values haproxy-mcp shown
      ;;
  esac
}
if [[ @{funcstack[1]} == _haproxy-mcp ]]; then
  _haproxy-mcp "$@"
else
  compdef _haproxy-mcp haproxy-mcp
fi
`;

const FISH = shell`
# fish completion of haproxy-mcp: haproxy-mcp completions fish | source
function __haproxy_mcp_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct | string unescape; or commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l reply ($program complete -- $words "$current" 2>/dev/null)
    switch "$reply[1]"
        case :files
            __fish_complete_path "$current"
        case :folders
            __fish_complete_directories "$current"
        case :words
            set -e reply[1]
            string join \n -- $reply
    end
end
complete -c haproxy-mcp -f -a '(__haproxy_mcp_complete)'
`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
