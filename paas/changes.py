"""What differs between two releases of an app: commits, keys, process types; never a value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from paas.model import App, Release
from paas.platform import Platform

Value = TypeVar("Value")


@dataclass(frozen=True)
class Difference:
    """The names that came, went, and stayed with another value."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield one line per name: `+ KEY`, `- KEY`, `~ KEY`."""
        for sign, names in (("+", self.added), ("-", self.removed), ("~", self.changed)):
            yield from (f"{sign} {name}" for name in names)


@dataclass(frozen=True)
class Changes:
    """All that differs. Commits are (id, subject), newest first."""

    added_commits: tuple[tuple[str, str], ...]
    removed_commits: tuple[tuple[str, str], ...]
    config: Difference
    processes: Difference
    formation: Difference
    others: tuple[str, ...]  # "image", "port", "scripts", "checks"


def compare(platform: Platform, app: App, old: Release, new: Release) -> Changes:
    """Return what changed from `old` to `new`."""
    return Changes(
        added_commits=_commits(platform, app, old, new),
        removed_commits=_commits(platform, app, new, old),
        config=_difference(old.config, new.config),
        processes=_difference(_commands(old), _commands(new)),
        formation=_difference(old.manifest.formation, new.manifest.formation),
        others=tuple(_others(old, new)),
    )


def _commits(
    platform: Platform, app: App, old: Release, new: Release
) -> tuple[tuple[str, str], ...]:
    if not new.commit or new.commit == old.commit:
        return ()
    return platform.repos.commits(app, old.commit, new.commit)


def _commands(release: Release) -> dict[str, str | None]:
    return {process.name: process.command for process in release.processes}


def _difference(old: Mapping[str, Value], new: Mapping[str, Value]) -> Difference:
    return Difference(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(sorted(key for key in old.keys() & new.keys() if old[key] != new[key])),
    )


def _others(old: Release, new: Release) -> Iterator[str]:
    before, after = old.manifest, new.manifest
    scripts = (before.predeploy, before.postdeploy) != (after.predeploy, after.postdeploy)
    pairs = {
        "image": old.image != new.image,
        "port": old.port != new.port,
        "scripts": scripts,
        "checks": before.checks != after.checks,
    }
    yield from (name for name, differs in pairs.items() if differs)
