"""A proxy without nginx: it remembers what is served and where it goes, and can refuse."""

from collections.abc import Mapping, Sequence

from paas.errors import ProxyUnavailable
from paas.model import Finding
from paas.proxies.base import Route, Site


class FakeProxy:
    """Implements paas.proxies.base.Proxy in memory."""

    def __init__(self) -> None:
        self.sites: dict[str, Site] = {}
        self.routes: dict[str, tuple[Route, ...]] = {}
        self.is_down = False
        self.refuses: set[str] = set()  # domains that "nginx -t" refuses

    def check(self) -> tuple[Finding, ...]:
        return (Finding("nginx", "fail" if self.is_down else "ok", "fake nginx"),)

    def publish(self, site: Site) -> bool:
        self._answer()
        if self.refuses.intersection(site.domains):
            raise ProxyUnavailable("nginx refused the change", hint="Run: paas doctor")
        changed = self.sites.get(site.app) != site
        self.sites[site.app] = site
        return changed

    def withdraw(self, app: str) -> None:
        self._answer()
        self.sites.pop(app, None)

    def switch(self, app: str, routes: Sequence[Route]) -> None:
        self._answer()
        self.routes[app] = tuple(routes)

    def restore(self, sites: Sequence[Site], routes: Mapping[str, Sequence[Route]]) -> None:
        self._answer()
        self.sites = {site.app: site for site in sites}
        self.routes = {app: tuple(each) for app, each in routes.items()}

    def _answer(self) -> None:
        if self.is_down:
            raise ProxyUnavailable("nginx does not run", hint="Run: paas doctor")
