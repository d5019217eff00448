"""The one module that picks adapters. Only entry points import it."""

from paas.build.builder import EngineBuilder
from paas.git.repos import DulwichRepos
from paas.hooks import Hooks
from paas.locks import Locks
from paas.platform import Platform
from paas.proxies.nginx import NginxProxy
from paas.schedulers.docker_local import DockerLocal
from paas.settings import Settings
from paas.state.store import SqliteStore


def build_platform(settings: Settings) -> Platform:
    """Return the platform of one instance. Nothing is opened yet: it may be made before a fork."""
    store = SqliteStore(settings)
    return Platform(
        settings=settings,
        store=store,
        scheduler=DockerLocal(settings),
        proxy=NginxProxy(settings),
        builder=EngineBuilder(settings),
        repos=DulwichRepos(settings),
        hooks=Hooks(settings.hooks),
        locks=Locks(settings.run / "locks"),
    )
