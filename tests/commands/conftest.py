"""A person who types commands, on a platform with a real database and fakes around it."""

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import randbelow

import pytest

from paas import dispatch
from paas.doors.control import Control
from paas.doors.request import Request
from paas.hooks import Hooks
from paas.keys import parse_key
from paas.locks import Locks
from paas.model import App
from paas.platform import Platform
from paas.settings import Settings
from paas.state.store import SqliteStore
from tests.fakes.builder import FakeBuilder
from tests.fakes.proxy import FakeProxy
from tests.fakes.repos import FakeRepos
from tests.fakes.scheduler import FakeScheduler

ANNA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4 anna\n"


@dataclass(frozen=True)
class Typed:
    """What came of a command."""

    status: int
    out: str
    err: str


class Person:
    """Types as root on the host; `over_ssh` types with anna's key."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.scheduler = FakeScheduler()
        self.proxy = FakeProxy()
        self.builder = FakeBuilder()
        self.repos = FakeRepos()
        self.settings = Settings(
            root=root,
            door_user="nobody",
            network=f"127.{randbelow(200) + 20}.{randbelow(15) * 16}.0/20",  # others test too
            disk_reserve=0,
        )
        self.store = SqliteStore(self.settings)
        self._capsys = capsys
        self._stdin = pytest.MonkeyPatch()

    @property
    def platform(self) -> Platform:
        return Platform(
            settings=self.settings,
            store=self.store,
            scheduler=self.scheduler,
            proxy=self.proxy,
            builder=self.builder,
            repos=self.repos,
            hooks=Hooks(self.settings.hooks),
            locks=Locks(self.settings.locks),
        )

    def __call__(self, *argv: str, text_in: str = "") -> Typed:
        return self._type(Request("local", argv), 0, text_in)

    def over_ssh(self, *argv: str, text_in: str = "") -> Typed:
        key = parse_key("anna", ANNA)
        if not self.store.keys.by_fingerprint(key.fingerprint):
            self.store.keys.add(key)
        return self._type(Request("ssh", argv, fingerprint=key.fingerprint), 65534, text_in)

    def push(self, app: str, procfile: str = "web: serve") -> App:
        typed = self("git-receive-pack", app, text_in=procfile)
        assert typed.status == 0, typed.out + self.repos.sideband.said
        return self.store.apps.get(app)

    def close(self) -> None:
        self._stdin.undo()
        self.scheduler.close()
        self.store.close()

    def _type(self, request: Request, uid: int, text_in: str) -> Typed:
        self._capsys.readouterr()
        self._stdin.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text_in.encode())))
        status = dispatch.handle(self.platform, request, uid, Control())
        return Typed(status, *self._capsys.readouterr())


@pytest.fixture(scope="session", autouse=True)
def _commands() -> None:
    dispatch.load_commands()


@pytest.fixture
def paas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Person]:
    person = Person(tmp_path, capsys)
    person.settings.run.mkdir()
    person.settings.door.mkdir()
    yield person
    person.close()


@pytest.fixture
def shop(paas: Person) -> App:
    """A deployed app."""
    return paas.push("shop")
