"""Instructions that an engine's parser could read otherwise than ours, which checks them."""

import re

from paas.build.instructions import Instruction

# Here-documents as every BuildKit reads them: `<<EOF`, `3<<-'EOF'`.
HEREDOC = re.compile(r"(?<!\S)[0-9]*<<-?([\"']?)[A-Za-z][A-Za-z0-9_]*\1(?!\S)", re.ASCII)
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def find_ambiguity(
    instruction: Instruction, line: str, escape: str, *, beside: bool
) -> tuple[str, str] | None:
    """Return what could be read otherwise in the line of an instruction, and a way out.

    `beside` says that there are here-documents in the Dockerfile: their lines nobody has checked.
    """
    has_more_lines = instruction.has_heredoc or instruction.name == "FROM"
    head = line.partition("\n")[0] if has_more_lines else line
    if CONTROL.search(head) or head.rstrip().endswith(escape):
        return (
            "it has control characters, or ends in the escape character",
            "Write the instruction without them.",
        )
    known = HEREDOC.sub("", head) if instruction.has_heredoc else head
    if beside and "<<" in known:
        return (
            "a << stands beside here-documents, and engines differ in what they make of it",
            "Give here-documents plain names such as <<EOF, and write << inside of them only.",
        )
    return None
