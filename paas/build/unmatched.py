"""What to say when no buildpack matches: what was seen, what would, the nearest misspelling."""

import difflib
from collections.abc import Mapping, Sequence

from paas.errors import BuildFailed
from paas.source import Source

SHOWN = 12  # names of the root that fit on two lines


def explain(
    source: Source,
    markers: Mapping[str, Sequence[str]],
    chosen: str | None,
    known: Sequence[str],
) -> BuildFailed:
    """Return the error for a source that none of the asked buildpacks (`markers`) builds."""
    if chosen is not None and not markers:
        return BuildFailed(
            f"There is no buildpack {chosen!r}",
            hint=f"Choose one of: dockerfile, {', '.join(known)}",
        )
    paths = [entry.path for entry in source.entries()]
    dockerfile: dict[str, Sequence[str]] = {} if chosen else {"dockerfile": ("Dockerfile",)}
    wanted = dockerfile | dict(markers)
    details = (
        f"Seen: {_seen(paths)}",
        *(f"Would match, {name}: {', '.join(files)}" for name, files in wanted.items()),
        *_guesses(paths, [file for files in wanted.values() for file in files]),
    )
    who = "No buildpack matches" if chosen is None else f"Buildpack {chosen} does not match"
    return BuildFailed(
        f"{who} what was pushed",
        details=details,
        hint="Commit one of these files at the root, and push again.",
    )


def _seen(paths: Sequence[str]) -> str:
    root = sorted({path.partition("/")[0] + ("/" if "/" in path else "") for path in paths})
    if not root:
        return "an empty tree"
    more = f" and {len(root) - SHOWN} more" if len(root) > SHOWN else ""
    return ", ".join(root[:SHOWN]) + more


def _guesses(paths: Sequence[str], markers: Sequence[str]) -> tuple[str, ...]:
    by_lower = {marker.lower(): marker for marker in markers}
    guesses = []
    for path in paths:
        folder, _, name = path.rpartition("/")
        near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.85)
        if near and not folder:
            guesses.append(f"{name}: did you mean {by_lower[near[0]]}?")
        elif near and name in markers and "/" not in folder:
            guesses.append(f"{path} is not at the root. Push its folder: {_subtree(folder)}")
    return tuple(guesses[:3])


def _subtree(folder: str) -> str:
    return f"git subtree push --prefix {folder} paas master"
