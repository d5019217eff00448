"""Language versions as a source writes them: one-line files, .tool-versions, and ranges."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from paas.source import Source

CARET = re.compile(r"\^(\d+(?:\.\d+)*)", re.ASCII)
TILDE = re.compile(r"~(\d+(?:\.\d+)*)", re.ASCII)
SPACED = re.compile(r"([<>=!~^])\s+")  # an operator and its version, apart
SEPARATOR = re.compile(r"[\s,]+")


@dataclass(frozen=True)
class Wanted:
    """A version or range, and the file that says it."""

    text: str
    origin: str


def read_version(source: Source, path: str, prefix: str = "") -> Wanted | None:
    """Return the first line of `path` that is not a comment, without `prefix`; None without one."""
    if not source.has(path):
        return None
    for line in source.read(path).splitlines():
        text = line.partition("#")[0].strip()
        if text:
            return Wanted(text.removeprefix(prefix), path)
    return None


def read_tool_version(source: Source, *tools: str) -> Wanted | None:
    """Return the version of the first of `tools` that asdf's .tool-versions names."""
    if not source.has(".tool-versions"):
        return None
    for line in source.read(".tool-versions").splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1 and words[0] in tools:
            return Wanted(words[1], ".tool-versions")
    return None


def newest_matching(constraint: str, releases: Sequence[str]) -> str | None:
    """Return the first of `releases` (`3.13`, `3.12`, ...) that the constraint allows, else None.

    The constraint is a PEP 440 specifier or one of Poetry's (`^3.11`, `~3.11`, `3.11.*`, `||`).
    A release stands for its last patch: `>=3.11.4` allows `3.11`.
    """
    allowed = [_specifier(part) for part in constraint.split("||")]
    for release in releases:
        if any(spec is not None and spec.contains(f"{release}.99") for spec in allowed):
            return release
    return None


def _specifier(constraint: str) -> SpecifierSet | None:
    joined = SPACED.sub(r"\1", constraint.strip())
    words = [_translate(word) for word in SEPARATOR.split(joined) if word not in {"", "*"}]
    try:
        return SpecifierSet(",".join(words))
    except InvalidSpecifier:
        return None


def _translate(word: str) -> str:
    """Return Poetry's word in PEP 440's form."""
    if match := CARET.fullmatch(word):
        return _caret(match)
    if match := TILDE.fullmatch(word):
        return _tilde(match)
    return f"=={word}" if word[0].isdigit() else word


def _caret(match: re.Match[str]) -> str:
    low = match[1]
    return f">={low},<{int(low.split('.')[0]) + 1}"


def _tilde(match: re.Match[str]) -> str:
    parts = match[1].split(".")
    high = [*parts[:1], str(int(parts[1]) + 1)] if len(parts) > 1 else [str(int(parts[0]) + 1)]
    return f">={match[1]},<{'.'.join(high)}"
