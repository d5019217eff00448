"""A Dockerfile's instructions, read by BuildKit's own parser."""

import re
from dataclasses import dataclass

from paas.errors import BuildFailed

_DIRECTIVE = re.compile(r"#\s*(?P<key>[A-Za-z][A-Za-z0-9]*)\s*=\s*(?P<value>\S.*?)\s*")


@dataclass(frozen=True)
class Instruction:
    """One instruction; comments are gone, continued lines are joined."""

    name: str  # upper case
    text: str  # all of it; several lines only when it has here-documents
    line: int  # where it begins
    flags: tuple[str, ...]  # `--name=value`, quotes removed
    words: tuple[str, ...]
    has_heredoc: bool


def parse_dockerfile(text: str) -> tuple[Instruction, ...]:
    """Return the instructions. Raises BuildFailed when there are none, or they cannot be read."""
    # Here and not at the top: it brings Go's runtime, with a thread and 800 MB of address space,
    # and the supervisor, which imports this module, forks and must stay single-threaded.
    import dockerfile  # type: ignore[import-not-found] # noqa: PLC0415 - see above; has no stubs

    try:
        commands = dockerfile.parse_string(text)
    except dockerfile.GoParseError as error:
        raise BuildFailed(
            f"The Dockerfile cannot be read: {error}", hint="Correct it, commit and push again."
        ) from None
    return tuple(
        Instruction(c.cmd, c.original, c.start_line, c.flags, c.value, bool(c.heredocs))
        for c in commands
    )


def escape_character(text: str) -> str:
    """Return the escape character that the directives at the file's top ask for."""
    for line in text.removeprefix("\ufeff").splitlines():
        match = _DIRECTIVE.fullmatch(line)
        if not match:
            break
        if match["key"].lower() == "escape":
            return "`" if match["value"] == "`" else "\\"
    return "\\"
