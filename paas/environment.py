"""The config of a release: an app's own vars over those of all apps."""

from collections.abc import Mapping
from dataclasses import dataclass

from paas.model import App, Candidate, Release
from paas.platform import Platform


@dataclass(frozen=True)
class Environment:
    """What processes get. Only `own` is stored with the app; a release keeps both as one."""

    own: Mapping[str, str]
    shared: Mapping[str, str]  # of all apps

    @property
    def merged(self) -> dict[str, str]:
        """All vars, by key; the app's own go first."""
        return dict(sorted({**self.shared, **self.own}.items()))

    @property
    def inherited(self) -> tuple[str, ...]:
        """The keys whose values are those of all apps."""
        return tuple(sorted(self.shared.keys() - self.own.keys()))


def read_environment(platform: Platform, app: App) -> Environment:
    """Return what the app's next release gets as things are stored now."""
    config = platform.store.config
    return Environment(config.get(app.id), config.get(None))


def environment_of(release: Release | Candidate) -> Environment:
    """Return what a release has, told apart again: to go back must pin no global var."""
    own = {key: value for key, value in release.config.items() if key not in release.inherited}
    shared = {key: release.config[key] for key in release.inherited}
    return Environment(own, shared)
