"""What the proxy should serve for an app, derived from the database."""

from contextlib import suppress
from itertools import cycle

from paas.errors import ProxyUnavailable
from paas.model import App, Container, ContainerRole, Desired
from paas.nginx_options import TOPIC
from paas.platform import Platform
from paas.proxies.base import Route, Site
from paas.vhosts import domains_of

WEB = "web"
# How many service addresses nginx balances over. Up to FEW processes share them evenly, however
# often they are scaled; more than that share WIDE of them as evenly as a /27 allows.
NARROW, FEW, WIDE = 12, 4, 30


def site_of(platform: Platform, app: App) -> Site:
    """Return the app's site: its domains and service addresses, more than it has processes.

    So a scale moves routes only: nginx need not be reloaded, which can cut kept connections.
    """
    count = _spread(len(_web(platform, app, ContainerRole.CURRENT)))
    properties = platform.store.properties
    return Site(
        app=app.name,
        domains=domains_of(platform, app),
        upstreams=tuple(_service(platform, app, number) for number in range(1, count + 1)),
        options={**properties.get(None, TOPIC), **properties.get(app.id, TOPIC)},
        certificate=platform.store.certificates.get(app.id),
    )


def urls_of(platform: Platform, app: App) -> tuple[str, ...]:
    """Return the URLs at which the app answers; those of wildcards cannot be named."""
    certificate = platform.store.certificates.get(app.id)
    return tuple(
        platform.settings.app_url(
            domain, is_secure=bool(certificate and certificate.covers(domain))
        )
        for domain in domains_of(platform, app)
        if not domain.startswith("*")
    )


def routes_of(platform: Platform, app: App) -> tuple[Route, ...]:
    """Return where the service addresses lead: to the web processes in turn; none when stopped.

    While old processes drain, all addresses lead somewhere: an old worker of nginx may know more of
    them than the site has now.
    """
    current = _web(platform, app, ContainerRole.CURRENT)
    if not current:
        return ()
    count = WIDE if _web(platform, app, ContainerRole.DRAINING) else _spread(len(current))
    pairs = zip(range(1, count + 1), cycle(current), strict=False)
    return tuple(Route(_service(platform, app, n), c.address, c.port) for n, c in pairs)


def publish(platform: Platform, app: App) -> None:
    """Serve the app's domains, if it was ever deployed. Raises ProxyUnavailable."""
    if app.version is not None:
        platform.proxy.publish(site_of(platform, app))


def move(platform: Platform, app: App) -> None:
    """Send new connections to the current containers. Raises ProxyUnavailable.

    A service address is mapped before nginx learns of it, and stays mapped while old workers of
    nginx may know it (see routes_of): so no request meets an address that leads nowhere.
    """
    platform.proxy.switch(app.name, routes_of(platform, app))
    publish(platform, app)


def restore_all(platform: Platform) -> None:
    """Make vhosts and routes of all apps equal to what the database says. Raises ProxyUnavailable.

    One reload of nginx does for all of them.
    """

    def deployed() -> list[App]:
        return [app for app in platform.store.apps.list() if app.version is not None]

    platform.proxy.restore(
        lambda: [site_of(platform, app) for app in deployed()],
        lambda: {app.name: routes_of(platform, app) for app in deployed()},
    )


def restore(platform: Platform, app: App) -> None:
    """Put the route back where the database says, as far as the proxy can be reached."""
    with suppress(ProxyUnavailable):  # the reconciler tries again
        platform.proxy.switch(app.name, routes_of(platform, app))


def _web(platform: Platform, app: App, role: ContainerRole) -> tuple[Container, ...]:
    if app.desired is Desired.STOPPED:
        return ()
    rows = platform.store.containers.of(app.id, role)
    return tuple(row for row in rows if row.process_type == WEB)


def _spread(processes: int) -> int:
    return NARROW if processes <= FEW else WIDE


def _service(platform: Platform, app: App, number: int) -> str:
    return str(platform.settings.service_address(app.network_index, number))
