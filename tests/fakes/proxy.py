"""A proxy without nginx and kernel: remembers sites and routes, and can refuse."""

from collections.abc import Callable, Mapping, Sequence

from paas.errors import ProxyUnavailable
from paas.model import Finding, app_name, domain_patterns
from paas.nginx_options import check_option
from paas.proxies.base import Route, Site


class FakeProxy:
    """Holds what is served. While `is_down` is set every change is refused and changes nothing."""

    def __init__(self) -> None:
        self.sites: dict[str, Site] = {}
        self.routes: dict[str, tuple[Route, ...]] = {}
        self.is_down = False
        self.reloads = 0

    def check(self) -> tuple[Finding, ...]:
        level = "fail" if self.is_down else "ok"
        return (Finding("nginx", level, "A fake proxy", "Start it" if self.is_down else ""),)

    def publish(self, site: Site) -> bool:
        _check(site)
        self._refuse_if_down()
        wanted = {**self.sites, site.app: site}
        return self._serve({app: s for app, s in wanted.items() if s.domains})

    def withdraw(self, app: str) -> None:
        self._serve({name: site for name, site in self.sites.items() if name != app})

    def switch(self, app: str, routes: Sequence[Route]) -> None:
        self._refuse_if_down()
        self.routes[app_name(app)] = tuple(routes)

    def rotate_logs(self) -> None:
        """It writes none."""

    def restore(
        self,
        read_sites: Callable[[], Sequence[Site]],
        read_routes: Callable[[], Mapping[str, Sequence[Route]]],
    ) -> None:
        sites, routes = read_sites(), read_routes()
        for site in sites:
            _check(site)
        self._refuse_if_down()
        self.routes = {app_name(app): tuple(listed) for app, listed in routes.items()}
        self._serve({site.app: site for site in sites if site.domains})

    def answer(self, domain: str) -> tuple[Route, ...] | None:
        """Return where requests for a domain go: () when nothing runs, None for an unknown host."""
        wildcard = f"*.{domain.partition('.')[2]}"
        for name in (domain, wildcard):
            for site in self.sites.values():
                if name in site.domains:
                    known = [route for routes in self.routes.values() for route in routes]
                    return tuple(route for route in known if route.service in site.upstreams)
        return None

    def config(self, app: str) -> str:
        site = self.sites.get(app)
        return f"server_name {' '.join(site.domains)};\n" if site else ""

    def validate(self) -> None:
        self._refuse_if_down()

    def _serve(self, sites: dict[str, Site]) -> bool:
        if sites == self.sites:
            return False
        self._refuse_if_down()
        self.sites = sites
        self.reloads += 1
        return True

    def _refuse_if_down(self) -> None:
        if self.is_down:
            raise ProxyUnavailable("nginx is not running", hint="Run: systemctl start nginx")


def _check(site: Site) -> None:
    app_name(site.app)
    for domain in site.domains:
        domain_patterns(domain)
    for name, value in site.options.items():
        check_option(name, value)
