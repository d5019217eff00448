"""events: what happened to apps, and what the engine did with their processes."""

import json
from collections.abc import Iterator
from contextlib import closing

import click

from paas.commands.declare import Access, Context, command
from paas.commands.reports import date, number
from paas.model import AppEvent
from paas.reporter import clean

BATCH = 1000  # events that are read at once


@command(
    "events",
    access=Access.VIEWER,
    examples=("events", "events -t", "events --app shop", "events -n 20 --format json"),
)
@click.option("--app", help="Only of this app.")
@click.option("-t", "--tail", "follow", is_flag=True, help="Go on as things happen.")
@click.option("-n", "--num", "lines", default="100", callback=number, help="How many; 100.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "stdout", "json"]),
    default="text",
    help="How to print it; as JSON an object per line.",
)
def events(context: Context, app: str | None, follow: bool, lines: int, style: str) -> None:
    """Print what happened to apps, and what the engine did with their processes.

    Ours are created, deployed, failed, crashed, recovered, scaled, config-changed, destroyed,
    key-added and key-removed; the engine's are start, die, oom and stop.
    Of the apps that you may see; what concerns no app is for admins. The last 10,000 are kept.
    """
    if app:
        context.app(app)
    for event in _events(context, app, lines, follow=follow):
        click.echo(_json(event) if style == "json" else _line(event))


def _events(context: Context, app: str | None, lines: int, *, follow: bool) -> Iterator[AppEvent]:
    """Yield the last events that the actor may see, then what happens."""
    store = context.platform.store.events
    with closing(store.listen()) as ear:  # before the first look: nothing is missed
        last = max((event.id for event in store.read(1)), default=0)
        for event in _read(context, app, lines) if lines else ():
            last = max(last, event.id)
            yield event
        while follow and ear.wait():
            for event in _read(context, app, BATCH, last):
                last = event.id
                yield event


def _read(context: Context, app: str | None, limit: int, after: int = 0) -> Iterator[AppEvent]:
    """Yield what the actor may see now; not what befell an earlier app of the same name."""
    if context.actor.sees_all:
        apps = {app} if app else None
        yield from context.platform.store.events.read(limit, after, apps)
        return
    born = {each.name: each.created_at for each in context.apps() if app in {None, each.name}}
    for event in context.platform.store.events.read(limit, after, born):
        if event.at >= born[event.app]:
            yield event


def _line(event: AppEvent) -> str:
    about = " ".join(f"{key}={_text(value)}" for key, value in event.details.items())
    where = event.app or "-"
    where = f"{where}[{event.process}]" if event.process else where
    return clean(f"{date(event.at)} {where} {event.kind} {about}").rstrip()


def _text(value: object) -> str:
    """Return a detail on one line; one with spaces is quoted."""
    match value:
        case list():
            return ",".join(map(str, value))
        case dict():
            return ",".join(f"{key}:{part}" for key, part in value.items())
    text = str(value)
    return json.dumps(text) if set(text) & set(' "\n\t') else text


def _json(event: AppEvent) -> str:
    told = {"at": date(event.at), "app": event.app, "event": event.kind, "process": event.process}
    return json.dumps({**told, **event.details})
