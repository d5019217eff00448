"""The seam to the reverse proxy: publish() changes what is served, switch() only where it goes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from paas.model import Certificate, Finding


@dataclass(frozen=True)
class Site:
    """What the proxy must know of one app; the routes behind it are not part of this."""

    app: str
    domains: tuple[str, ...]  # normalised; may be empty: then nothing is served
    upstreams: tuple[str, ...]  # service addresses, one per web slot
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    certificate: Certificate | None = None  # the domains it covers are served by https


@dataclass(frozen=True)
class Route:
    """Where connections to a service address go."""

    service: str  # IPv4, stable: nginx knows only this
    address: str  # IPv4 of the container
    port: int


class Proxy(Protocol):
    """nginx in front, a kernel map behind it. Raises ProxyUnavailable; a refused change is undone.

    Every method is idempotent and may be called by several processes at once.
    """

    def check(self) -> tuple[Finding, ...]:
        """Return the proxy's part of `doctor`."""

    def publish(self, site: Site) -> bool:
        """Serve `site`; return whether anything had to change.

        Raises ProxyUnavailable when nginx does not run, also when nothing has to change.
        """

    def config(self, app: str) -> str:
        """Return the app's part of nginx's configuration as it is served; "" if there is none."""

    def validate(self) -> None:
        """Let nginx check its whole configuration. Raises ProxyUnavailable with its words."""

    def withdraw(self, app: str) -> None:
        """Stop serving the app's domains."""

    def switch(self, app: str, routes: Sequence[Route]) -> None:
        """Send new connections of the app to exactly these routes, in one atomic change.

        Open connections stay where they are. Routes of the app that are not listed are removed.
        """

    def rotate_logs(self) -> None:
        """Keep the logs of requests within their budget; no connection ends by that."""

    def restore(
        self,
        read_sites: Callable[[], Sequence[Site]],
        read_routes: Callable[[], Mapping[str, Sequence[Route]]],
    ) -> None:
        """Make vhosts and routes of all apps equal to what is read; remove what is not in it.

        Both are read while no publish() or switch() can come between: so what one of them has just
        changed is never overwritten by what was true before it.
        """
