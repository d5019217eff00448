"""Nouns for tests: a platform with a real database and fakes around it, and pushes to it."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from paas import push
from paas.health import GRACE
from paas.hooks import Hooks
from paas.locks import Locks
from paas.model import Actor, App, Release
from paas.platform import Platform
from paas.settings import Settings
from paas.state.store import SqliteStore
from tests.builders import ready_store
from tests.claims import loopback_network
from tests.fakes.builder import FakeBuilder
from tests.fakes.engine import Program
from tests.fakes.proxy import FakeProxy
from tests.fakes.repos import APP_JSON, FakeRepos
from tests.fakes.scheduler import FakeScheduler

ANNA = Actor("anna", is_admin=True)
CRASHES = "crash"  # the command of a process that exits with 1 at once
PATIENCE = 0.1  # seconds: in one process, nobody lets go of a lock meanwhile
HANGS = "hang"  # the command of a process that opens no port


@dataclass
class World:
    """One instance. `scheduler`, `proxy`, `builder` and `repos` can be made to fail."""

    settings: Settings
    store: SqliteStore
    scheduler: FakeScheduler = field(
        default_factory=lambda: FakeScheduler(
            programs={
                CRASHES: Program(stderr=("KeyError: 'SECRET'",), exit_code=1, status=None),
                HANGS: Program(status=None),
            }
        )
    )
    proxy: FakeProxy = field(default_factory=FakeProxy)
    builder: FakeBuilder = field(default_factory=FakeBuilder)
    repos: FakeRepos = field(default_factory=FakeRepos)

    @property
    def platform(self) -> Platform:
        """The ports, as wiring makes them."""
        return Platform(
            settings=self.settings,
            store=self.store,
            scheduler=self.scheduler,
            proxy=self.proxy,
            builder=self.builder,
            repos=self.repos,
            hooks=Hooks(self.settings.hooks),
            locks=Locks(self.settings.locks, PATIENCE),
        )

    def push(
        self,
        name: str = "shop",
        procfile: str = "web: serve",
        app_json: Mapping[str, object] | None = None,
        let_go: Callable[[], None] = lambda: None,
    ) -> str:
        """Push a tree with this Procfile; return what git answers ("ok" or "ng ...")."""
        text = procfile + (APP_JSON + json.dumps(app_json) if app_json else "")
        answer = io.BytesIO()
        client = push.Client(io.BytesIO(text.encode()), answer, let_go, lambda: None)
        push.receive(self.platform, name, ANNA, client)
        return answer.getvalue().decode().strip()

    @property
    def said(self) -> str:
        """All that was said to pushers."""
        return self.repos.sideband.said

    def app(self, name: str = "shop") -> App:
        """The app as it is stored now."""
        return self.store.apps.get(name)

    def current(self, name: str = "shop") -> Release:
        """The app's current release."""
        release = self.store.releases.current(self.app(name).id)
        assert release is not None
        return release

    def visible(self) -> object:
        """All that a failed deploy must not change."""
        apps = self.store.apps.list()
        return (
            [(a.name, a.version, a.desired) for a in apps],
            [self.store.config.get(a.id) for a in apps],
            [[(c.id, c.role, c.address) for c in self.store.containers.of(a.id)] for a in apps],
            dict(self.repos.branches),
            dict(self.repos.kept),
            dict(self.proxy.sites),
            dict(self.proxy.routes),
            sorted(self.scheduler.running),
        )


@contextmanager
def make_world(root: Path, **settings: int) -> Iterator[World]:
    """Give an instance below `root`, whose apps live on loopback addresses."""
    chosen = Settings(
        root=root,
        door_user="nobody",
        network=loopback_network(),
        services="127.1.0.0/16",
        disk_reserve=0,
        **{"health_timeout": 1, **settings},  # type: ignore[arg-type]  # all of them are numbers
    )
    world = World(chosen, ready_store(chosen))
    world.scheduler.head_start = GRACE
    try:
        yield world
    finally:
        world.scheduler.close()
        world.store.close()
