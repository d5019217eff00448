"""Completion scripts: each asks `paas complete` what can stand at the end of the line."""

import sys
from collections.abc import Sequence

BASH = """\
# paas completion for bash: eval "$(paas completion bash)"
_paas() {
    local line="${COMP_LINE:0:COMP_POINT}" word found
    local -a words
    read -ra words <<<"$line"
    case "$line" in *[[:space:]]) words+=("") ;; esac
    word="${words[${#words[@]}-1]}"
    # bash splits at : and = itself; what it took for other words stays as it is.
    local kept="${word%"${word##*[:=]}"}"
    [[ -n "$kept" && "$COMP_WORDBREAKS" != *"${kept: -1}"* ]] && kept=""
    COMPREPLY=()
    while IFS= read -r found; do
        COMPREPLY+=("${found#"$kept"}")
    done < <(paas complete -- "${words[@]:1}" 2>/dev/null </dev/null)
}
complete -o default -F _paas paas
"""
ZSH = """\
#compdef paas
# paas completion for zsh: eval "$(paas completion zsh)", after compinit
_paas() {
    local -a found
    found=("${(@f)$(paas complete -- "${(@)words[2,CURRENT]}" 2>/dev/null </dev/null)}")
    compadd -- ${found:#}
}
compdef _paas paas
"""
FISH = """\
# paas completion for fish: paas completion fish | source
function __paas_complete
    set -l words (commandline -opc) (commandline -ct)
    paas complete -- $words[2..-1] 2>/dev/null </dev/null
end
complete -c paas -f -a '(__paas_complete)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def main(args: Sequence[str]) -> int:
    """Print the script for a shell; return the exit status."""
    if len(args) != 1 or args[0] not in SCRIPTS:
        sys.stderr.write(" !     Usage: paas completion bash|zsh|fish\n")
        return 2
    sys.stdout.write(SCRIPTS[args[0]])
    return 0
