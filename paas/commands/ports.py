"""ports:*: which port of its container an app listens on."""

import click

from paas import ports, rerelease
from paas.commands.declare import Access, Context, command
from paas.commands.nginx import put_back
from paas.commands.reports import (
    JSON,
    heading,
    listing,
    report,
    show_json,
)
from paas.commands.scope import report_apps
from paas.errors import Conflict, NotFound
from paas.model import DEFAULT_PORT, App
from paas.platform import Platform
from paas.reporter import DETAIL, STEP
from paas.verb import Cause

KEYS = ("map", "map-detected")
TITLES = ("scheme", "host port", "container port")


@command("ports:list", access=Access.VIEWER, examples=("ports:list shop",))
@click.argument("app")
@listing
def ports_list(context: Context, app: str, style: str) -> None:
    """List an app's port mappings: scheme, port of the host, port of the container."""
    found = context.app(app)
    rows = ports.mappings(context.platform, found, _port(context.platform, found))
    if style == JSON:
        keys = ("scheme", "host_port", "container_port")
        show_json([dict(zip(keys, row, strict=True)) for row in rows])
        return
    heading(f"Port mappings for {app}")
    for row in (TITLES, *rows):
        click.echo("".join(f"{value!s:<16}" for value in row).rstrip())


@command("ports:set", access=Access.DEPLOYER, examples=("ports:set shop http:80:3000",))
@click.argument("app")
@click.argument("words", nargs=-1, required=True, metavar="SCHEME:HOST:CONTAINER...")
def ports_set(context: Context, app: str, words: tuple[str, ...]) -> None:
    """Say which port an app's web processes listen on, in a new release. They get it as PORT.

    If the new release does not become healthy, nothing has changed. The host's ports are those of
    the proxy, for all apps.
    """
    _change(context, context.app(app), ports.parse_mappings(context.platform, words))


@command("ports:add", access=Access.DEPLOYER, examples=("ports:add shop http:80:3000",))
@click.argument("app")
@click.argument("words", nargs=-1, required=True, metavar="SCHEME:HOST:CONTAINER...")
def ports_add(context: Context, app: str, words: tuple[str, ...]) -> None:
    """Do as ports:set does, unless a port was set already."""
    found = context.app(app)
    wanted, now = (
        ports.parse_mappings(context.platform, words),
        ports.chosen(context.platform, found),
    )
    if now and now != wanted:
        raise Conflict(f"{app} has the container port {now} already", hint="Use ports:set.")
    _change(context, found, wanted)


@command(
    "ports:remove",
    access=Access.DEPLOYER,
    examples=("ports:remove shop 80", "ports:remove shop http:80:3000"),
)
@click.argument("app")
@click.argument("words", nargs=-1, required=True, metavar="HOST|SCHEME:HOST:CONTAINER...")
def ports_remove(context: Context, app: str, words: tuple[str, ...]) -> None:
    """Take back a mapping that was set; the detected one comes back."""
    platform = context.platform
    found = context.app(app)
    now = ports.chosen(platform, found)
    known = ports.mappings(platform, found, now or 0) if now else ()
    names = {str(row[1]) for row in known} | {":".join(map(str, row)) for row in known}
    for word in words:
        if word not in names:
            raise NotFound(f"{app} has no mapping {word!r} that was set", hint="See ports:report.")
    _change(context, found, None)


@command("ports:clear", access=Access.DEPLOYER, examples=("ports:clear shop",))
@click.argument("app")
def ports_clear(context: Context, app: str) -> None:
    """Go back to the detected port: the one that the image EXPOSEs, else 5000."""
    _change(context, context.app(app), None)


@command(
    "ports:report",
    access=Access.VIEWER,
    examples=("ports:report", "ports:report shop --ports-map"),
)
@click.argument("app", required=False)
@report("ports", *KEYS)
def ports_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show the port mappings of an app, or of all apps: what was set, and what was detected."""
    platform = context.platform
    report_apps(context, "ports", app, lambda each: _describe(platform, each), style, only)


def _change(context: Context, app: App, port: int | None) -> None:
    platform = context.platform
    with put_back(platform, app, ports.TOPIC, ports.CONTAINER):
        text = str(port) if port else None
        platform.store.properties.set(app.id, ports.TOPIC, ports.CONTAINER, text)
        verb = str(click.get_current_context().info_name)
        done = rerelease.change_port(platform, app, Cause(context.actor, verb))
    click.echo(f"{STEP}{app.name} listens on {port or 'the detected port'}")
    if not done:
        click.echo(f"{DETAIL}It holds from the next start")


def _port(platform: Platform, app: App) -> int:
    release = platform.store.releases.current(app.id)
    return release.port if release else ports.chosen(platform, app) or DEFAULT_PORT


def _describe(platform: Platform, app: App) -> dict[str, object]:
    release = platform.store.releases.current(app.id)
    detected = ports.detected_of(release) if release else DEFAULT_PORT
    port = ports.chosen(platform, app)
    shown = [_words(platform, app, each) if each else None for each in (port, detected)]
    return dict(zip(KEYS, shown, strict=True))


def _words(platform: Platform, app: App, port: int) -> str:
    return " ".join(":".join(map(str, row)) for row in ports.mappings(platform, app, port))
