"""domains:*: the names at which apps answer: default ones under global domains, and added ones."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from paas import routing, vhosts
from paas.commands.declare import Access, Context, command
from paas.commands.every import every_app, for_every
from paas.commands.nginx import put_back, serve
from paas.commands.reports import report, show_report
from paas.commands.scope import report_apps
from paas.errors import Forbidden, ProxyUnavailable, UsageError
from paas.model import App, domain_patterns
from paas.platform import Platform
from paas.reporter import DETAIL, STEP

ADDRESS = re.compile(r"(^|\.)[0-9]+$", re.ASCII)  # the host's, say; no top-level domain is a number
KEYS = ("app-enabled", "app-vhosts", "default-vhost", "global-enabled", "global-vhosts", "urls")


@command(
    "domains:add",
    access=Access.DEPLOYER,
    examples=(
        "domains:add shop shop.example.org www.shop.example.org",
        "domains:add shop '*.shop.example.org'",
    ),
)
@click.argument("app")
@click.argument("domains", nargs=-1, required=True, metavar="DOMAIN...")
def domains_add(context: Context, app: str, domains: tuple[str, ...]) -> None:
    """Add domains to an app. Their DNS records must point to this host.

    *.x is every name below x that no other site has, .x is the same with x itself.
    """
    _change(context, app, add=domains)


@command(
    "domains:remove", access=Access.DEPLOYER, examples=("domains:remove shop old.example.org",)
)
@click.argument("app")
@click.argument("domains", nargs=-1, required=True, metavar="DOMAIN...")
def domains_remove(context: Context, app: str, domains: tuple[str, ...]) -> None:
    """Remove domains from an app. The default one stays."""
    _change(context, app, remove=domains)


@command("domains:set", access=Access.DEPLOYER, examples=("domains:set shop shop.example.org",))
@click.argument("app")
@click.argument("domains", nargs=-1, required=True, metavar="DOMAIN...")
def domains_set(context: Context, app: str, domains: tuple[str, ...]) -> None:
    """Make these the app's only added domains. The default one stays."""
    now = context.platform.store.domains.list(context.app(app).id)
    _change(context, app, add=domains, remove=now)


@command("domains:clear", access=Access.DEPLOYER, examples=("domains:clear shop",))
@click.argument("app")
def domains_clear(context: Context, app: str) -> None:
    """Remove all added domains. The default one stays; domains:disable takes it off too."""
    _change(context, app, remove=context.platform.store.domains.list(context.app(app).id))


@command("domains:reset", access=Access.DEPLOYER, examples=("domains:reset shop",))
@click.argument("app")
def domains_reset(context: Context, app: str) -> None:
    """Go back to the default domains: remove those that were added, and serve the app."""
    found = context.app(app)
    vhosts.switch(context.platform, found, vhosts.TOPIC, is_on=True)
    _change(context, app, remove=context.platform.store.domains.list(found.id))


@command("domains:enable", access=Access.DEPLOYER, examples=("domains:enable shop",))
@for_every
def domains_enable(context: Context, app: str | None, is_all: bool) -> int:
    """Serve an app at its domains again."""
    return every_app(context, app, lambda each: _switch(context, each, is_on=True), is_all=is_all)


@command("domains:disable", access=Access.DEPLOYER, examples=("domains:disable shop",))
@for_every
def domains_disable(context: Context, app: str | None, is_all: bool) -> int:
    """Serve an app at no domain; its processes go on. No port is opened instead."""
    return every_app(context, app, lambda each: _switch(context, each, is_on=False), is_all=is_all)


@command(
    "domains:add-global", access=Access.ADMIN, examples=("domains:add-global apps.example.org",)
)
@click.argument("domains", nargs=-1, required=True, metavar="DOMAIN...")
def domains_add_global(context: Context, domains: tuple[str, ...]) -> None:
    """Let each app answer at APP.DOMAIN too. The DNS record of *.DOMAIN must point to this host."""
    _change_global(context, (*vhosts.global_domains(context.platform), *domains))


@command(
    "domains:remove-global",
    access=Access.ADMIN,
    examples=("domains:remove-global apps.example.org",),
)
@click.argument("domains", nargs=-1, required=True, metavar="DOMAIN...")
def domains_remove_global(context: Context, domains: tuple[str, ...]) -> None:
    """Let apps answer no longer at APP.DOMAIN."""
    _change_global(context, vhosts.without(context.platform, domains))


@command(
    "domains:set-global", access=Access.ADMIN, examples=("domains:set-global apps.example.org",)
)
@click.argument("domains", nargs=-1, required=True, metavar="DOMAIN...")
def domains_set_global(context: Context, domains: tuple[str, ...]) -> None:
    """Make these the only domains under which apps have their default ones."""
    _change_global(context, domains)


@command("domains:clear-global", access=Access.ADMIN, examples=("domains:clear-global",))
def domains_clear_global(context: Context) -> None:
    """Have no global domain: apps answer at their added domains only."""
    _change_global(context, ())


@command(
    "domains:report",
    access=Access.VIEWER,
    examples=("domains:report", "domains:report shop --format json", "domains:report --global"),
)
@click.argument("app", required=False)
@click.option("--global", "is_global", is_flag=True, help="The global domains alone.")
@report("domains", *KEYS)
def domains_report(
    context: Context, app: str | None, is_global: bool, style: str, only: str | None
) -> None:
    """Show the domains of an app, or of all apps."""
    platform = context.platform
    if is_global:
        shared = vhosts.global_domains(platform)
        values: dict[str, object] = {"global-enabled": bool(shared), "global-vhosts": shared}
        if only and only not in values:
            raise UsageError(f"--domains-{only} is about one app", hint="Name an app.")
        show_report("domains", "global", values, style, only)
    else:
        report_apps(context, "domains", app, lambda each: _describe(platform, each), style, only)


def _change(
    context: Context, app: str, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> None:
    """Change the domains and serve them; when nginx refuses, they stay as they were."""
    platform = context.platform
    found = context.app(app)
    if not context.actor.sees_all:
        _refuse_platform_domain(platform, add)
    with platform.locks.app(found.id, context.actor.name, "domains"):
        before = platform.store.domains.list(found.id)
        platform.store.domains.change(found.id, add, remove)
        try:
            routing.publish(platform, found)
        except ProxyUnavailable:
            now = platform.store.domains.list(found.id)
            platform.store.domains.change(found.id, add=before, remove=now)
            raise
    click.echo(f"{STEP}Domains of {app} are changed; it answers at")
    for url in routing.urls_of(platform, found):
        click.echo(f"{DETAIL}{url}")


def _refuse_platform_domain(platform: Platform, domains: Sequence[str]) -> None:
    """Keep the names above all apps, and of the host, for who answers for all.

    A site's cookies and its HSTS reach what is below its name.
    """
    for name in (name for domain in domains for name in domain_patterns(domain)):
        shared = (f".{each}" for each in vhosts.global_domains(platform))
        if "." not in name or ADDRESS.search(name) or any(s.endswith(f".{name}") for s in shared):
            raise Forbidden(f"{name} is the platform's own domain", hint="Ask an admin to add it.")


def _switch(context: Context, app: App, *, is_on: bool) -> None:
    platform = context.platform
    with put_back(platform, app, vhosts.TOPIC, vhosts.DISABLED):
        vhosts.switch(platform, app, vhosts.TOPIC, is_on=is_on)
        serve(context, app)
    click.echo(f"{STEP}{app.name} is served at {' '.join(vhosts.domains_of(platform, app)) or '-'}")


def _change_global(context: Context, domains: Sequence[str]) -> None:
    platform = context.platform
    with _undone_if_refused(platform):
        vhosts.set_global_domains(platform, domains)
        routing.restore_all(platform)
    shown = " ".join(f"APP.{domain}" for domain in vhosts.global_domains(platform))
    click.echo(f"{STEP}Apps answer at {shown or 'their added domains only'}")


@contextmanager
def _undone_if_refused(platform: Platform) -> Iterator[None]:
    before = vhosts.global_domains(platform)
    try:
        yield
    except ProxyUnavailable:
        vhosts.set_global_domains(platform, before)
        raise


def _describe(platform: Platform, app: App) -> dict[str, object]:
    shared = vhosts.global_domains(platform)
    values = (
        vhosts.is_enabled(platform, app),
        platform.store.domains.list(app.id),
        " ".join(vhosts.default_domains(platform, app)),
        bool(shared),
        shared,
        routing.urls_of(platform, app),
    )
    return dict(zip(KEYS, values, strict=True))
