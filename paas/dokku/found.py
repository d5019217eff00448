"""What is read of a Dokku host; nothing in it is believed until the store has checked it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

# Dokku's own, and what paas sets itself. GIT_REV names a commit of the other host.
OWN_KEYS = frozenset({"GIT_REV", "PORT", "NO_VHOST"})
OWN_PREFIX = "DOKKU_"


@dataclass(frozen=True)
class FoundApp:
    """One app of a Dokku host. `left` says in words what cannot be taken over."""

    name: str
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    domains: tuple[str, ...] = ()
    scale: Mapping[str, int] = field(default_factory=dict)
    certificate: bytes | None = field(default=None, repr=False)  # chain and key, as PEM
    branch: str | None = None
    left: tuple[str, ...] = ()


class DokkuHost(Protocol):
    """A Dokku host that can be read. Every method raises PaasError when it cannot be."""

    def apps(self) -> tuple[str, ...]:
        """Return the names of all apps."""

    def read(self, name: str) -> FoundApp:
        """Return one app."""

    def config(self) -> Mapping[str, str]:
        """Return the config of all apps (`config:set --global`)."""


def without_own(config: Mapping[str, str]) -> dict[str, str]:
    """Return the vars that the owner has set: those of Dokku itself are left out."""
    return {
        key: value
        for key, value in config.items()
        if key not in OWN_KEYS and not key.startswith(OWN_PREFIX)
    }
