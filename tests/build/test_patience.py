"""A source cannot make its reader work for ever."""

import signal
from pathlib import Path

import pytest

from paas.build import patience
from paas.build.builder import EngineBuilder
from paas.build.context import make_context
from paas.build.patience import bounded
from paas.errors import BuildFailed
from paas.git.snapshot import _compile
from paas.model import App
from paas.settings import Settings
from tests.fakes.source import TreeSource

SHOP = App(1, "shop", 0, 0.0)
LONG, STARS = "a" * 120, "*a" * 12 + "b"  # every way to share the letters out is tried


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SECONDS", 0.2)


def test_a_pattern_of_dockerignore_cannot_hold_a_build_slot_for_ever() -> None:
    with pytest.raises(BuildFailed, match="takes too long"), bounded():
        make_context(TreeSource({LONG: ""}), [STARS], "src", (), 0)


def test_a_pattern_of_workspaces_cannot_hold_a_push_for_ever(tmp_path: Path) -> None:
    package = f'{{"workspaces": ["{STARS}"], "scripts": {{"start": "node ."}}}}'
    files = {"package.json": package, "package-lock.json": "{}", f"{LONG}/package.json": "{}"}
    with pytest.raises(BuildFailed, match="takes too long"):
        EngineBuilder(Settings(root=tmp_path), dict).plan(TreeSource(files))


def test_a_pattern_that_is_none_is_told(tmp_path: Path) -> None:
    package = '{"workspaces": ["[z-a]"], "scripts": {"start": "node ."}}'
    source = Broken({"package.json": package, "package-lock.json": "{}"})
    with pytest.raises(BuildFailed, match="cannot read the manifests"):
        EngineBuilder(Settings(root=tmp_path), dict).plan(source)


class Broken(TreeSource):
    """A source whose globs know classes, as git's does."""

    def glob(self, pattern: str) -> tuple[str, ...]:
        return tuple(path for path in self._files if _compile(pattern).fullmatch(path))


def test_afterwards_nothing_ticks() -> None:
    with bounded():
        pass
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGVTALRM) is signal.SIG_DFL
