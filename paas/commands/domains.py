"""domains:*: the names at which an app answers, besides its default one."""

from collections.abc import Sequence

import click

from paas import operate, routing
from paas.commands.declare import Access, Context, command
from paas.commands.reports import report, show_report, show_reports
from paas.errors import Forbidden, ProxyUnavailable
from paas.model import App, domain_name
from paas.platform import Platform
from paas.reporter import DETAIL, STEP

KEYS = ("app-vhosts", "default-vhost", "urls")


@command(
    "domains:add",
    access=Access.DEPLOYER,
    examples=("domains:add shop shop.example.org www.shop.example.org",),
)
@click.argument("app")
@click.argument("domains", nargs=-1, required=True, metavar="DOMAIN...")
def domains_add(context: Context, app: str, domains: tuple[str, ...]) -> None:
    """Add domains to an app. Their DNS records must point to this host."""
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


@command(
    "domains:report",
    access=Access.VIEWER,
    examples=("domains:report", "domains:report shop --format json"),
)
@click.argument("app", required=False)
@report("domains", *KEYS)
def domains_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show the domains of an app, or of all apps."""
    platform = context.platform
    if app:
        values = _describe(platform, context.app(app))
        show_report("domains", app, values, style, only)
        return
    every = {each.name: _describe(platform, each) for each in context.apps()}
    show_reports("domains", every, style, only)


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
            operate.publish(platform, found)
        except ProxyUnavailable:
            now = platform.store.domains.list(found.id)
            platform.store.domains.change(found.id, add=before, remove=now)
            raise
    click.echo(f"{STEP}Domains of {app} are changed; it answers at")
    for url in routing.urls_of(platform, found):
        click.echo(f"{DETAIL}{url}")


def _refuse_platform_domain(platform: Platform, domains: Sequence[str]) -> None:
    """Keep the domain above all apps for who answers for all apps: what it sets reaches them."""
    own = domain_name(platform.settings.domain)
    if own in map(domain_name, domains):
        raise Forbidden(f"{own} is the platform's own domain", hint="Ask an admin to add it.")


def _describe(platform: Platform, app: App) -> dict[str, object]:
    default = f"{app.name}.{platform.settings.domain}"
    values = (
        platform.store.domains.list(app.id),
        default,
        routing.urls_of(platform, app),
    )
    return dict(zip(KEYS, values, strict=True))
