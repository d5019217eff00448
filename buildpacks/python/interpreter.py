"""Which Python: the one that the source asks for, else the stack's."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paas.build.versions import Wanted, newest_matching, read_tool_version, read_version
from paas.errors import BuildFailed
from paas.source import Source

VERSION = re.compile(r"(3\.\d{1,2})(\.\d{1,2})?", re.ASCII)
NEWEST = 15  # 3.15; ranges are tried from here downwards, the stack's own first
OLDEST = 9
HINT = "Write a version such as 3.13 or 3.13.5 into .python-version."


@dataclass(frozen=True)
class Interpreter:
    """The version as the source names it: `3.13` or `3.13.5`."""

    version: str
    is_stack_s: bool  # the stack's own, whatever its patch
    summary: str
    notes: tuple[str, ...] = ()


def find_interpreter(source: Source, pyproject: Mapping[str, Any], stack: str) -> Interpreter:
    """Return the interpreter; `stack` is the minor version that the stack has (`3.13`).

    Raises BuildFailed for a version that is not CPython 3, and for a range that nothing fulfils.
    """
    wanted = (
        read_version(source, ".python-version", "cpython-")
        or read_version(source, "runtime.txt", "python-")
        or read_tool_version(source, "python")
    )
    if wanted:
        return _exact(wanted, stack)
    bounded = _constraint(pyproject)
    return _ranged(bounded, stack) if bounded else Interpreter(stack, True, f"Python {stack}")


def _exact(wanted: Wanted, stack: str) -> Interpreter:
    version = stack if wanted.text == "3" else wanted.text
    match = VERSION.fullmatch(version)
    if not match:
        raise BuildFailed(f"{wanted.origin} asks for Python {wanted.text[:40]!r}", hint=HINT)
    return Interpreter(version, version == stack, f"Python {version} ({wanted.origin})")


def _ranged(wanted: Wanted, stack: str) -> Interpreter:
    releases = [stack, *(f"3.{minor}" for minor in range(NEWEST, OLDEST - 1, -1))]
    version = newest_matching(wanted.text, releases)
    if version is None:
        raise BuildFailed(
            f"No Python fulfils {wanted.text[:40]!r} ({wanted.origin})",
            hint=f"Widen it so that {stack} fits.",
        )
    return Interpreter(version, version == stack, f"Python {version} ({wanted.origin})")


def _constraint(pyproject: Mapping[str, Any]) -> Wanted | None:
    project = pyproject.get("project", {}).get("requires-python")
    if isinstance(project, str):
        return Wanted(project, "requires-python")
    poetry = pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python")
    return Wanted(poetry, "pyproject.toml") if isinstance(poetry, str) else None
