"""checks:*: when a process is healthy. app.json says it, checks:set overrides it for web."""

import click

from paas import checks, health, vhosts
from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, heading, listing, report, show_json
from paas.commands.scope import report_apps
from paas.errors import PaasError, StartFailed
from paas.look import describe, is_good, look_at
from paas.manifest import Check, Manifest
from paas.model import App, Container, ContainerRole
from paas.platform import Platform
from paas.reporter import DETAIL, STEP, clean
from paas.routing import WEB

COMPUTED = ("disabled-list", "skipped-list", "startup", "liveness")


@command(
    "checks:set",
    access=Access.DEPLOYER,
    examples=(
        "checks:set shop path /healthz",
        "checks:set shop startup-timeout 180",
        "checks:set shop wait-to-retire 120",
        "checks:set shop path",
    ),
)
@click.argument("app")
@click.argument("key", metavar="KEY")
@click.argument("value", default="")
def checks_set(context: Context, app: str, key: str, value: str) -> None:
    """Set when a web process is healthy, over what app.json says; an empty value clears.

    Keys: path (must be answered with 2xx or 3xx), content (text that must be in the body), attempts
    (bad answers until it has failed), timeout (seconds for one answer), wait (seconds between two),
    startup-timeout (seconds for all of it), wait-to-retire (seconds that old processes have to end
    their connections).
    """
    platform = context.platform
    checks.set_property(platform, context.app(app), key, value)
    click.echo(f"{STEP}{key} of {app} is {value or 'the default'}; it holds from the next start")


@command(
    "checks:disable",
    access=Access.DEPLOYER,
    examples=("checks:disable shop worker", "checks:disable shop"),
)
@click.argument("app")
@click.argument("types", default=checks.ALL, metavar="[TYPE,TYPE]")
def checks_disable(context: Context, app: str, types: str) -> None:
    """Stop old processes before new ones start, and ask nothing of those: requests are lost.

    ps:set strategy.TYPE recreate does the same, but asks the new ones, and brings the old back.
    """
    _switch(context, app, checks.DISABLED, types, "are replaced with an outage, unchecked")


@command(
    "checks:skip", access=Access.DEPLOYER, examples=("checks:skip shop web", "checks:skip shop")
)
@click.argument("app")
@click.argument("types", default=checks.ALL, metavar="[TYPE,TYPE]")
def checks_skip(context: Context, app: str, types: str) -> None:
    """Ask nothing of new processes: they take over as soon as they have started."""
    _switch(context, app, checks.SKIPPED, types, "take over unchecked")


@command("checks:enable", access=Access.DEPLOYER, examples=("checks:enable shop worker,web",))
@click.argument("app")
@click.argument("types", default=checks.ALL, metavar="[TYPE,TYPE]")
def checks_enable(context: Context, app: str, types: str) -> None:
    """Take checks:disable and checks:skip back."""
    _switch(context, app, None, types, "are checked before they take over")


@command(
    "checks:report",
    access=Access.VIEWER,
    examples=("checks:report", "checks:report shop", "checks:report shop --checks-path"),
)
@click.argument("app", required=False)
@report("checks", *checks.KEYS, *COMPUTED)
def checks_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show the checks of an app, or of all apps: what was set, and what holds in the end."""
    platform = context.platform
    report_apps(context, "checks", app, lambda each: _describe(platform, each), style, only)


@command(
    "checks:run",
    access=Access.VIEWER,
    examples=("checks:run shop", "checks:run shop web", "checks:run shop web.1 --format json"),
)
@click.argument("app")
@click.argument("process", required=False)
@listing
def checks_run(context: Context, app: str, process: str | None, style: str) -> int:
    """Ask the processes that run now, once each. Exit 1 if one is not healthy."""
    platform = context.platform
    found = context.app(app)
    results = {row.process: _run(platform, found, row) for row in _rows(platform, found, process)}
    if style == JSON:
        show_json([{"process": p, "problem": text or None} for p, text in results.items()])
    else:
        heading(f"{app} checks")
        for name, text in results.items():
            click.echo(f"{DETAIL}{name}: {clean(text) or 'healthy'}")
    return int(any(results.values()))


def _switch(context: Context, app: str, kind: str | None, types: str, what: str) -> None:
    found = context.app(app)
    checks.list_types(context.platform, found, kind or checks.SKIPPED, types, is_on=bool(kind))
    shown = "All processes" if types == checks.ALL else f"Processes {types}"
    click.echo(f"{STEP}{shown} of {app} {what}; it holds from the next deploy")


def _rows(platform: Platform, app: App, process: str | None) -> list[Container]:
    rows = platform.store.containers.of(app.id, ContainerRole.CURRENT)
    if process is None:
        if rows:
            return list(rows)
        raise PaasError(f"{app.name} has no process that runs", hint=f"See ps:report {app.name}")
    chosen = [row for row in rows if process in {row.process, row.process_type}]
    if not chosen:
        names = " ".join(row.process for row in rows)
        raise PaasError(
            f"Invalid process type or process specified: {clean(process)}",
            hint=f"There are: {names}" if names else f"See ps:report {app.name}",
        )
    return chosen


def _run(platform: Platform, app: App, row: Container) -> str:
    """Return what is wrong with a process, "" if nothing is."""
    try:
        health.Process(platform.scheduler, row, app).check_alive()
    except StartFailed as error:
        return error.message
    if row.process_type != WEB:
        return ""
    host = vhosts.host_of(platform, app)
    for check in checks.startup_checks(platform, app, _manifest(platform, app), WEB):
        look = look_at(row.address, row.port, host, check)
        if not check.uptime and not is_good(look, check):
            return describe(look, check.path or "/")
    return ""


def _manifest(platform: Platform, app: App) -> Manifest:
    release = platform.store.releases.current(app.id)
    return release.manifest if release else Manifest()


def _describe(platform: Platform, app: App) -> dict[str, object]:
    manifest = _manifest(platform, app)
    chosen = platform.store.properties.get(app.id, checks.TOPIC)
    types = sorted({WEB, *manifest.checks})
    startup = {
        name: [_words(c) for c in checks.startup_checks(platform, app, manifest, name)]
        for name in types
    }
    liveness = {name: [_words(c) for c in checks.liveness_checks(manifest, name)] for name in types}
    values: dict[str, object] = {key: chosen.get(key) for key in checks.KEYS}
    return values | {
        "startup-timeout": chosen.get("startup-timeout")
        or str(int(checks.startup_timeout(platform, app))),
        "wait-to-retire": str(int(checks.drain_timeout(platform, app.id))),
        "disabled-list": checks.shown_list(platform, app, checks.DISABLED),
        "skipped-list": checks.shown_list(platform, app, checks.SKIPPED),
        "startup": {name: words for name, words in startup.items() if words},
        "liveness": {name: words for name, words in liveness.items() if words},
    }


def _words(check: Check) -> str:
    if check.uptime:
        return f"up for {check.uptime:g} s"
    if check.path is None:
        return "any answer below 500 on /"
    words = f"2xx or 3xx on {check.path}"
    return f"{words} with {check.content!r}" if check.content else words
