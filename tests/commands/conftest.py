"""A person who types commands, on a platform with a real database and fakes around it."""

import base64
import hashlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from paas import dispatch
from paas.doors.control import Control
from paas.doors.request import Request
from paas.health import GRACE
from paas.hooks import Hooks
from paas.keys import parse_key
from paas.locks import Locks
from paas.model import App, Role
from paas.platform import Platform
from paas.settings import Settings
from tests.builders import ready_store
from tests.claims import loopback_network
from tests.fakes.builder import FakeBuilder
from tests.fakes.proxy import FakeProxy
from tests.fakes.repos import FakeRepos
from tests.fakes.scheduler import FakeScheduler


def public_key(name: str) -> str:
    """Return the line of an ed25519 key (RFC 8709) that is this person's alone."""
    parts = (b"ssh-ed25519", hashlib.sha256(name.encode()).digest())
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {name}\n"


ANNA = public_key("anna")


@dataclass(frozen=True)
class Typed:
    """What came of a command."""

    status: int
    out: str
    err: str


class Person:
    """Types as root on the host; `over_ssh` types with the key of anna, an admin.

    `user` makes somebody else, `typing` types with that key: `paas.typing("ben", "apps:list")`.
    """

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.scheduler = FakeScheduler()
        self.scheduler.head_start = GRACE
        self.proxy = FakeProxy()
        self.builder = FakeBuilder()
        self.repos = FakeRepos()
        self.settings = Settings(
            root=root,
            door_user="nobody",
            network=loopback_network(),
            disk_reserve=0,
        )
        self.store = ready_store(self.settings)
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
            locks=Locks(self.settings.locks, patience=0.1),
        )

    def __call__(self, *argv: str, text_in: str | bytes = "") -> Typed:
        return self._type(Request("local", argv), 0, text_in)

    def over_ssh(self, *argv: str, text_in: str | bytes = "") -> Typed:
        self.user("anna", is_admin=True)
        return self.typing("anna", *argv, text_in=text_in)

    def user(self, name: str, role: str = "", app: str = "", *, is_admin: bool = False) -> None:
        """Let there be a user with a key, and with a role at an app if one is given."""
        key = parse_key(name, public_key(name))
        if key.fingerprint not in {each.fingerprint for each in self.store.keys.list()}:
            self.store.keys.add(key, is_admin=is_admin)
        if role:
            self.store.grants.set(self.store.apps.get(app).id, name, Role(role))

    def typing(self, name: str, *argv: str, text_in: str | bytes = "") -> Typed:
        """Type over ssh with the key of this name, whether paas knows it or not."""
        fingerprint = parse_key(name, public_key(name)).fingerprint
        return self._type(Request("ssh", argv, fingerprint=fingerprint), 65534, text_in)

    def push(self, app: str, procfile: str = "web: serve") -> App:
        typed = self("git-receive-pack", app, text_in=procfile)
        assert typed.status == 0, typed.out + self.repos.sideband.said
        return self.store.apps.get(app)

    def close(self) -> None:
        self._stdin.undo()
        self.scheduler.close()
        self.store.close()

    def _type(self, request: Request, uid: int, text_in: str | bytes) -> Typed:
        self._capsys.readouterr()
        data = text_in.encode() if isinstance(text_in, str) else text_in
        self._stdin.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        status = dispatch.handle(self.platform, request, uid, Control())
        return Typed(status, *self._capsys.readouterr())


def started_with(paas: Person) -> dict[str, str]:
    """Return the config vars of the last process, without what every process gets."""
    config = paas.scheduler.started[-1].config
    return {key: value for key, value in config.items() if key != "GIT_REV"}


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
