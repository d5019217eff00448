"""What commands and the pipeline receive: ports only, no behaviour."""

from dataclasses import dataclass

from paas.build.base import Builder
from paas.git.base import Repos
from paas.hooks import Hooks
from paas.locks import Locks
from paas.proxies.base import Proxy
from paas.schedulers.base import Scheduler
from paas.settings import Settings
from paas.state.base import Store


@dataclass(frozen=True)
class Platform:
    """One instance and its adapters. Made by wiring; connections open on first use."""

    settings: Settings
    store: Store
    scheduler: Scheduler
    proxy: Proxy
    builder: Builder
    repos: Repos
    hooks: Hooks
    locks: Locks
