"""What the proxy should serve for an app, derived from the database."""

from contextlib import suppress

from paas.errors import ProxyUnavailable
from paas.model import App, Container, ContainerRole, Desired
from paas.platform import Platform
from paas.proxies.base import Route, Site

WEB = "web"


def site_of(platform: Platform, app: App) -> Site:
    """Return the app's site: its domains, and one upstream per current web process."""
    slots = [container.slot for container in _web(platform, app, ContainerRole.CURRENT)]
    return Site(
        app=app.name,
        domains=domains_of(platform, app),
        upstreams=tuple(_slot(platform, app, slot) for slot in slots or [1]),
        options=platform.store.properties.get(app.id, "nginx"),
    )


def domains_of(platform: Platform, app: App) -> tuple[str, ...]:
    """Return the default domain, then the added ones."""
    default = f"{app.name}.{platform.settings.domain}"
    return (default, *(d for d in platform.store.domains.list(app.id) if d != default))


def urls_of(platform: Platform, app: App) -> tuple[str, ...]:
    """Return the URLs at which the app answers."""
    return tuple(platform.settings.app_url(domain) for domain in domains_of(platform, app))


def routes_of(platform: Platform, app: App) -> tuple[Route, ...]:
    """Return a route for each current web process; none for a stopped app.

    While slots that were scaled away drain, their service addresses lead to the first process: an
    old worker of nginx still knows them.
    """
    current = _web(platform, app, ContainerRole.CURRENT)
    routes = {c.slot: _route(platform, app, c.slot, c) for c in current}
    if current:
        for old in _web(platform, app, ContainerRole.DRAINING):
            routes.setdefault(old.slot, _route(platform, app, old.slot, current[0]))
    return tuple(routes.values())


def publish(platform: Platform, app: App) -> None:
    """Serve the app's domains, if it was ever deployed. Raises ProxyUnavailable."""
    if app.version is not None:
        platform.proxy.publish(site_of(platform, app))


def move(platform: Platform, app: App) -> None:
    """Send new connections to the current containers. Raises ProxyUnavailable.

    A service address is mapped before nginx learns of it, and stays mapped for a while after nginx
    has forgotten it (see routes_of): so no request meets an address that leads nowhere.
    """
    platform.proxy.switch(app.name, routes_of(platform, app))
    publish(platform, app)


def restore(platform: Platform, app: App) -> None:
    """Put the route back where the database says, as far as the proxy can be reached."""
    with suppress(ProxyUnavailable):  # the reconciler tries again
        platform.proxy.switch(app.name, routes_of(platform, app))


def _web(platform: Platform, app: App, role: ContainerRole) -> tuple[Container, ...]:
    if app.desired is Desired.STOPPED:
        return ()
    rows = platform.store.containers.of(app.id, role)
    return tuple(row for row in rows if row.process_type == WEB)


def _route(platform: Platform, app: App, slot: int, container: Container) -> Route:
    return Route(_slot(platform, app, slot), container.address, container.port)


def _slot(platform: Platform, app: App, slot: int) -> str:
    return str(platform.settings.service_address(app.network_index, slot))
