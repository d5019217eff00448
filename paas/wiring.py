"""The one module that picks adapters. Only entry points import it."""

from contextlib import suppress

from paas.build.builder import EngineBuilder
from paas.git.repos import DulwichRepos
from paas.hooks import Hooks
from paas.locks import Locks
from paas.platform import Platform
from paas.proxies.nginx import NginxProxy
from paas.schedulers.docker_local import DockerLocal
from paas.settings import Settings
from paas.state.base import Store
from paas.state.store import SqliteStore


def build_platform(settings: Settings) -> Platform:
    """Return the platform of one instance. Nothing is opened yet: it may be made before a fork.

    What every fork would load by itself is loaded here, such as buildpacks and templates.
    """
    store = SqliteStore(settings)
    builder = EngineBuilder(settings, lambda: _logins(store))
    with suppress(Exception):  # a broken buildpack is shown to who pushes, and stops nothing else
        builder.prepare()
    return Platform(
        settings=settings,
        store=store,
        scheduler=DockerLocal(settings),
        proxy=NginxProxy(settings),
        builder=builder,
        repos=DulwichRepos(settings),
        hooks=Hooks(settings.hooks),
        locks=Locks(settings.locks),
    )


def _logins(store: Store) -> dict[str, tuple[str, str]]:
    """Return the registry logins that `registry:login` stored."""
    stored = store.properties.get(None, "registry")
    pairs = {registry: login.partition(":") for registry, login in stored.items()}
    return {registry: (user, password) for registry, (user, _, password) in pairs.items()}
