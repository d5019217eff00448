"""Which Node: a range for npm to resolve when the image is built."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paas.build.versions import Wanted, read_tool_version, read_version
from paas.errors import BuildFailed
from paas.source import Source

DEFAULT = 24  # an LTS release line
RANGE = re.compile(r"[0-9xX*^~<>=][0-9xX*.^~<>=| -]{0,63}", re.ASCII)  # semver's, without tags
OPEN = re.compile(r"\*|x|>=?\s*(\d+)(?:\.[\dx]+){0,2}", re.ASCII)
LTS = {
    "dubnium": "10",
    "erbium": "12",
    "fermium": "14",
    "gallium": "16",
    "hydrogen": "18",
    "iron": "20",
    "jod": "22",
    "krypton": "24",
}


@dataclass(frozen=True)
class Node:
    """`spec` is the range that is installed."""

    spec: str
    summary: str
    notes: tuple[str, ...] = ()


def find_node(source: Source, package: Mapping[str, Any]) -> Node:
    """Return the Node asked for, else the default LTS line. Raises BuildFailed for other words.

    A range without an upper bound (`>=4`) takes the default line where that fits: apps of years
    ago should not wake up on the newest release.
    """
    wanted = (
        _engines(package)
        or read_version(source, ".nvmrc")
        or read_version(source, ".node-version")
        or read_tool_version(source, "nodejs", "node")
    )
    if wanted is None:
        return Node(str(DEFAULT), f"Node {DEFAULT}")
    text = _translate(wanted.text)
    if not RANGE.fullmatch(text):
        raise BuildFailed(
            f"{wanted.origin} asks for Node {wanted.text[:40]!r}",
            hint=f'Write a version or range, such as "{DEFAULT}.x".',
        )
    open_ended = OPEN.fullmatch(text)
    if open_ended and int(open_ended[1] or 0) < DEFAULT:
        return Node(str(DEFAULT), f"Node {DEFAULT} ({wanted.origin}: {text})")
    return Node(text, f"Node {text} ({wanted.origin})")


def _engines(package: Mapping[str, Any]) -> Wanted | None:
    engines = package.get("engines")
    text = engines.get("node") if isinstance(engines, dict) else None
    return Wanted(text.strip(), "engines.node") if isinstance(text, str) and text.strip() else None


def _translate(text: str) -> str:
    """Return a range for nvm's words: v20.1.0, lts/jod, lts/*, node."""
    word = text.lower()
    if word in {"lts/*", "lts", "stable"}:
        return str(DEFAULT)
    if word in {"node", "latest", "current"}:
        return "*"
    return LTS.get(word.removeprefix("lts/"), word.removeprefix("v"))
