"""nginx:*: how nginx serves an app: typed properties, its file, its logs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from paas import nginx_options, routing, site_logs
from paas.commands.declare import Access, Context, command
from paas.commands.reports import number, quiet_flags, report
from paas.commands.scope import choose, names_property, report_apps
from paas.errors import PaasError, UsageError
from paas.model import App
from paas.nginx_options import OPTIONS, TOPIC
from paas.platform import Platform
from paas.reporter import DETAIL, STEP, clean

KINDS = ("global", "computed")
Function = TypeVar("Function", bound=Callable[..., Any])


def tailing(function: Function) -> Function:
    """Give a command `-t`, as `follow`, and `-n`, as `lines`."""
    lines = click.option("-n", "--num", "lines", default="100", callback=number, help="How many.")
    tail = click.option("-t", "--tail", "follow", is_flag=True, help="Go on as lines are written.")
    return tail(lines(function))


@command(
    "nginx:set",
    access=Access.DEPLOYER,
    examples=(
        "nginx:set shop client-max-body-size 20m",
        "nginx:set shop proxy-read-timeout 120s",
        "nginx:set shop proxy-read-timeout",
        "nginx:set --global keepalive-timeout 30s",
    ),
)
@names_property("KEY [VALUE]")
def nginx_set(context: Context, app: str | None, words: tuple[str, ...], is_global: bool) -> None:
    """Set how nginx serves an app, at once; an empty value brings the default back.

    With --global it holds for every app that has no value of its own. nginx:report shows all keys.
    What nginx itself refuses changes nothing.
    """
    platform = context.platform
    found, words = choose(context, app, words, is_global=is_global)
    if len(words) not in {1, 2}:
        raise UsageError("A key is wanted", hint="As in: nginx:set APP client-max-body-size 20m")
    key, value = nginx_options.parse_option(words[0], (*words, "")[1])
    with put_back(platform, found, TOPIC, key):
        platform.store.properties.set(found.id if found else None, TOPIC, key, value)
        serve(context, found)
    name = found.name if found else "all apps"
    click.echo(f"{STEP}{key} of {name} is {value or 'the default'}")


@command(
    "nginx:report",
    access=Access.VIEWER,
    examples=("nginx:report shop", "nginx:report shop --nginx-computed-gzip"),
)
@click.argument("app", required=False)
@report(TOPIC, *OPTIONS)
@quiet_flags(TOPIC, *(f"{kind}-{key}" for kind in KINDS for key in OPTIONS))
def nginx_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show how nginx serves an app, or all apps.

    Of each property there is what was set, what was set for all, and what holds: KEY, global-KEY,
    computed-KEY. --nginx-KEY, --nginx-global-KEY and --nginx-computed-KEY print one alone.
    """
    platform = context.platform
    report_apps(context, TOPIC, app, lambda each: _describe(platform, each), style, only)


@command("nginx:show-config", access=Access.VIEWER, examples=("nginx:show-config shop",))
@click.argument("app")
def nginx_show_config(context: Context, app: str) -> None:
    """Print an app's part of nginx's configuration, as it is served."""
    found = context.app(app)
    text = context.platform.proxy.config(found.name)
    if not text:
        raise PaasError(f"{app} is not served", hint=f"Push to it; see domains:report {app}")
    click.echo(clean(text), nl=False)


@command("nginx:validate-config", access=Access.DEPLOYER, examples=("nginx:validate-config",))
@click.argument("app", required=False)
def nginx_validate_config(context: Context, app: str | None) -> None:
    """Let nginx check its configuration, which is one for all apps. Exit 75 if it is broken."""
    if app:
        context.app(app)
    context.platform.proxy.validate()
    click.echo(f"{DETAIL}nginx's configuration is valid")


@command(
    "nginx:access-logs",
    access=Access.VIEWER,
    examples=("nginx:access-logs shop", "nginx:access-logs shop -t"),
)
@click.argument("app")
@tailing
def nginx_access_logs(context: Context, app: str, follow: bool, lines: int) -> None:
    """Print the requests to an app, one JSON line each unless access-log-format is set."""
    found = context.app(app)
    _print(site_logs.access_log(context.platform.settings, found.name), lines, follow=follow)


@command(
    "nginx:error-logs",
    access=Access.VIEWER,
    examples=("nginx:error-logs shop", "nginx:error-logs shop -t"),
)
@click.argument("app")
@tailing
def nginx_error_logs(context: Context, app: str, follow: bool, lines: int) -> None:
    """Print what nginx had trouble with: an app that does not answer, a request too large."""
    found = context.app(app)
    _print(site_logs.error_log(context.platform.settings, found.name), lines, follow=follow)


def serve(context: Context, app: App | None) -> None:
    """Serve the app, or all apps, as things are stored now. Raises ProxyUnavailable, Conflict."""
    platform = context.platform
    if app is None:
        routing.restore_all(platform)
        return
    with platform.locks.app(app.id, context.actor.name, TOPIC):
        routing.publish(platform, platform.store.apps.by_id(app.id))


@contextmanager
def put_back(platform: Platform, app: App | None, topic: str, key: str) -> Iterator[None]:
    """Give a property its old value again if the body fails."""
    scope = app.id if app else None
    before = platform.store.properties.get(scope, topic).get(key)
    try:
        yield
    except PaasError:
        platform.store.properties.set(scope, topic, key, before)
        raise


def _describe(platform: Platform, app: App) -> dict[str, object]:
    own = platform.store.properties.get(app.id, TOPIC)
    shared = platform.store.properties.get(None, TOPIC)
    values: dict[str, object] = {}
    for key, option in OPTIONS.items():
        values[key] = own.get(key)
        values[f"global-{key}"] = shared.get(key)
        values[f"computed-{key}"] = own.get(key) or shared.get(key) or option.default
    return values


def _print(path: Path, lines: int, *, follow: bool) -> None:
    for line in site_logs.last_lines(path, lines):
        click.echo(clean(line))
    for line in site_logs.follow(path) if follow else ():
        click.echo(clean(line))
