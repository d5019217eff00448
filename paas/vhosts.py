"""At which names an app is served: default ones under the global domains, and added ones."""

from collections.abc import Iterator, Sequence

from paas.errors import Conflict, NotFound
from paas.model import App, domain_name
from paas.platform import Platform

TOPIC = "domains"
GLOBAL = "global"  # the property with the global domains, once they differ from the setting
NONE = " "  # its value when there are none
DISABLED = "disabled"  # the app's property: it is served at no name
PROXY = "proxy"  # the topic of the other switch, `proxy:disable`


def global_domains(platform: Platform) -> tuple[str, ...]:
    """Return the domains under which each app has a default domain, `<app>.<domain>`."""
    stored = platform.store.properties.get(None, TOPIC).get(GLOBAL)
    return (platform.settings.domain,) if stored is None else tuple(stored.split())


def set_global_domains(platform: Platform, domains: Sequence[str]) -> None:
    """Replace the global domains. Raises Conflict where an app has added a name under one."""
    chosen = tuple(dict.fromkeys(domain_name(domain) for domain in domains))
    for app in platform.store.apps.list():
        for added in platform.store.domains.list(app.id):
            _refuse_taken(app, added, chosen)
    is_default = chosen == (platform.settings.domain,)
    value = None if is_default else " ".join(chosen) or NONE
    platform.store.properties.set(None, TOPIC, GLOBAL, value)


def without(platform: Platform, domains: Sequence[str]) -> tuple[str, ...]:
    """Return the global domains without these. Raises NotFound for one that is not among them."""
    now, gone = global_domains(platform), [domain_name(domain) for domain in domains]
    for domain in gone:
        if domain not in now:
            raise NotFound(f"{domain} is no global domain", hint="See domains:report --global.")
    return tuple(domain for domain in now if domain not in gone)


def is_enabled(platform: Platform, app: App) -> bool:
    """Whether the app is served at all: neither domains:disable nor proxy:disable took it off."""
    properties = platform.store.properties
    return not any(DISABLED in properties.get(app.id, topic) for topic in (TOPIC, PROXY))


def switch(platform: Platform, app: App, topic: str, *, is_on: bool) -> None:
    """Serve the app, or do not, as far as this topic is concerned."""
    platform.store.properties.set(app.id, topic, DISABLED, None if is_on else "true")


def domains_of(platform: Platform, app: App) -> tuple[str, ...]:
    """Return all names at which the app is served: none when that is disabled."""
    return tuple(_names(platform, app)) if is_enabled(platform, app) else ()


def host_of(platform: Platform, app: App) -> str:
    """Return a name to ask the app for itself: its first domain, served or not."""
    plain = (name for name in _names(platform, app) if not name.startswith("*"))
    return next(plain, f"{app.name}.{platform.settings.domain}")


def default_domains(platform: Platform, app: App) -> tuple[str, ...]:
    """Return the app's names under the global domains."""
    return tuple(f"{app.name}.{domain}" for domain in global_domains(platform))


def _names(platform: Platform, app: App) -> Iterator[str]:
    """Names under a global domain are the apps' of those names, whenever an app added one."""
    shared = global_domains(platform)
    added = platform.store.domains.list(app.id)
    yield from (f"{app.name}.{domain}" for domain in shared)
    yield from (name for name in added if not any(name.endswith(f".{d}") for d in shared))


def _refuse_taken(app: App, added: str, chosen: Sequence[str]) -> None:
    for domain in chosen:
        if added.endswith(f".{domain}") and added != f"{app.name}.{domain}":
            raise Conflict(
                f"{app.name} has {added}, which would belong to another app",
                hint=f"Remove it first: domains:remove {app.name} {added}",
            )
