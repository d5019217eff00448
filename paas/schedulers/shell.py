"""How a Procfile line is run, so that TERM reaches the program and not only its shell.

The engine signals process 1, docker-init (tini), which passes it to its child. That child is a
shell; dash stays in front of the program, dies of TERM at once, and the kernel kills the rest.
"""

import re

# Without these a line is one command, which may take the shell's place.
COMPOUND = re.compile(r"[;&|\n]|^\s*[({!]|^\s*[A-Za-z_][A-Za-z0-9_]*=")
FIRST_WORD = re.compile(r"\s*([^\s'\"$`]+)(?=\s|$)")
WORDS = (
    ". : alias break case cd command continue declare do eval exec exit export for function "
    "getopts hash if let local read readonly return select set shift source time times trap "
    "type ulimit umask unalias unset until wait while"
)
NOT_PROGRAMS = frozenset(WORDS.split())
# tini(1): pass signals to the child's whole process group, as Heroku does.
WHOLE_GROUP = {"TINI_KILL_PROCESS_GROUP": "1"}


def is_one_command(line: str) -> bool:
    """Whether `exec` may stand in front: a single program, no shell construct. Errs to False."""
    first = FIRST_WORD.match(line)
    return bool(first and first[1] not in NOT_PROGRAMS and not COMPOUND.search(line))


def shell_line(line: str) -> str:
    """Return what `sh -c` gets. A compound line's shell waits for its child after TERM."""
    return f"exec {line.lstrip()}" if is_one_command(line) else f"trap 'exit 143' TERM\n{line}"


def signal_environment(line: str | None) -> dict[str, str]:
    """Return the variables that tell tini whom to signal."""
    return {} if line is None or is_one_command(line) else WHOLE_GROUP
