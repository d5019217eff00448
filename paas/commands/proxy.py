"""proxy:*, maintenance:*, url and urls: whether and where an app is served."""

from collections.abc import Callable

import click

from paas import routing, vhosts
from paas.commands.declare import Access, Context, command
from paas.commands.every import at_once, every_app, for_every
from paas.commands.nginx import put_back, serve
from paas.commands.reports import report
from paas.commands.scope import choose, names_property, report_apps
from paas.errors import PaasError, UsageError
from paas.model import App
from paas.nginx_options import TOPIC as NGINX
from paas.platform import Platform
from paas.reporter import STEP

KEYS = ("computed-type", "enabled", "global-type", "type")
MAINTENANCE = "maintenance"
REASONS = {
    "proxy-port": "all apps answer on the host's http port: http_port in paas.toml",
    "proxy-ssl-port": "all apps answer on the host's https port: https_port in paas.toml",
}


@command("proxy:enable", access=Access.DEPLOYER, examples=("proxy:enable shop",))
@for_every
@at_once
def proxy_enable(context: Context, app: str | None, is_all: bool, parallel: int) -> int:
    """Serve an app through nginx again."""
    return every_app(context, app, _switch(context, is_on=True), is_all=is_all, parallel=parallel)


@command("proxy:disable", access=Access.DEPLOYER, examples=("proxy:disable shop",))
@for_every
@at_once
def proxy_disable(context: Context, app: str | None, is_all: bool, parallel: int) -> int:
    """Take an app out of nginx; its processes go on. No port of the host is opened instead."""
    return every_app(context, app, _switch(context, is_on=False), is_all=is_all, parallel=parallel)


@command(
    "proxy:build-config",
    access=Access.DEPLOYER,
    examples=("proxy:build-config shop", "proxy:build-config --all"),
)
@for_every
@at_once
def proxy_build_config(context: Context, app: str | None, is_all: bool, parallel: int) -> int:
    """Write an app's part of nginx's configuration anew; nginx reads it if it differs.

    Never needed: every command does it by itself, and the daemon looks each minute.
    """

    def build(found: App) -> None:
        serve(context, found)
        click.echo(f"{STEP}{found.name} is served as its settings say")

    return every_app(context, app, build, is_all=is_all, parallel=parallel)


@command(
    "proxy:set",
    access=Access.DEPLOYER,
    examples=("proxy:set shop type nginx", "proxy:set shop type"),
)
@names_property("type [VALUE]")
def proxy_set(context: Context, app: str | None, words: tuple[str, ...], is_global: bool) -> None:
    """Say which proxy serves an app: nginx is the only one there is."""
    found, words = choose(context, app, words, is_global=is_global)
    key, value = (*words, "", "")[:2]
    if key != "type":
        raise UsageError(
            f"{key!r} cannot be set: {REASONS.get(key, 'there is only: type')}",
            hint="How nginx serves an app: nginx:set",
        )
    if value not in {"", "nginx"}:
        raise UsageError(f"There is no proxy {value!r}", hint="Give nginx.")
    click.echo(f"{STEP}{found.name if found else 'Every app'} is served by nginx")


@command(
    "proxy:report",
    access=Access.VIEWER,
    examples=("proxy:report", "proxy:report shop --proxy-enabled"),
)
@click.argument("app", required=False)
@report("proxy", *KEYS)
def proxy_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show which proxy serves an app, or all apps, and whether it does."""
    platform = context.platform
    report_apps(context, "proxy", app, lambda each: _describe(platform, each), style, only)


@command("maintenance:on", access=Access.DEPLOYER, examples=("maintenance:on shop",))
@click.argument("app")
def maintenance_on(context: Context, app: str) -> None:
    """Answer every request to an app with 503 and a page; its processes go on."""
    _set_maintenance(context, app, is_on=True)


@command("maintenance:off", access=Access.DEPLOYER, examples=("maintenance:off shop",))
@click.argument("app")
def maintenance_off(context: Context, app: str) -> None:
    """Let requests reach an app again."""
    _set_maintenance(context, app, is_on=False)


@command("maintenance:enable", access=Access.DEPLOYER, examples=("maintenance:enable shop",))
@click.argument("app")
def maintenance_enable(context: Context, app: str) -> None:
    """Do as maintenance:on does."""
    _set_maintenance(context, app, is_on=True)


@command("maintenance:disable", access=Access.DEPLOYER, examples=("maintenance:disable shop",))
@click.argument("app")
def maintenance_disable(context: Context, app: str) -> None:
    """Do as maintenance:off does."""
    _set_maintenance(context, app, is_on=False)


@command(
    "maintenance:report",
    access=Access.VIEWER,
    examples=("maintenance:report", "maintenance:report shop --maintenance-enabled"),
)
@click.argument("app", required=False)
@report(MAINTENANCE, "enabled")
def maintenance_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show whether an app, or which of all apps, is in maintenance."""

    def describe(each: App) -> dict[str, object]:
        return {"enabled": _is_in_maintenance(context, each)}

    report_apps(context, MAINTENANCE, app, describe, style, only)


@command("url", access=Access.VIEWER, examples=("url shop",))
@click.argument("app")
def url(context: Context, app: str) -> None:
    """Print the first URL of an app."""
    click.echo(_urls(context, app)[0])


@command("urls", access=Access.VIEWER, examples=("urls shop",))
@click.argument("app")
def urls(context: Context, app: str) -> None:
    """Print all URLs of an app."""
    click.echo("\n".join(_urls(context, app)))


def _urls(context: Context, app: str) -> tuple[str, ...]:
    found = routing.urls_of(context.platform, context.app(app))
    if not found:
        raise PaasError(f"{app} is served at no domain", hint=f"See domains:report {app}")
    return found


def _switch(context: Context, *, is_on: bool) -> Callable[[App], None]:
    def work(app: App) -> None:
        with put_back(context.platform, app, vhosts.PROXY, vhosts.DISABLED):
            vhosts.switch(context.platform, app, vhosts.PROXY, is_on=is_on)
            serve(context, app)
        click.echo(f"{STEP}{'Enabling' if is_on else 'Disabling'} proxy for {app.name}")

    return work


def _set_maintenance(context: Context, name: str, *, is_on: bool) -> None:
    app = context.app(name)
    with put_back(context.platform, app, NGINX, MAINTENANCE):
        value = "on" if is_on else None
        context.platform.store.properties.set(app.id, NGINX, MAINTENANCE, value)
        serve(context, app)
    click.echo(f"{STEP}Maintenance of {name} is {'on' if is_on else 'off'}")


def _is_in_maintenance(context: Context, app: App) -> bool:
    properties = context.platform.store.properties
    own, shared = (properties.get(scope, NGINX).get(MAINTENANCE) for scope in (app.id, None))
    return (own or shared) == "on"


def _describe(platform: Platform, app: App) -> dict[str, object]:
    is_enabled = vhosts.DISABLED not in platform.store.properties.get(app.id, vhosts.PROXY)
    return dict(zip(KEYS, ("nginx", is_enabled, None, None), strict=True))
