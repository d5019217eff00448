"""Verbs that are about one app, or with --global about all of them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from paas.commands.declare import Access, Context
from paas.commands.reports import show_report, show_reports
from paas.errors import UsageError
from paas.model import App

Function = TypeVar("Function", bound=Callable[..., Any])
for_all = click.option("--global", "is_global", is_flag=True, help="For all apps; admins only.")


def choose(
    context: Context, app: str | None, words: tuple[str, ...], *, is_global: bool
) -> tuple[App | None, tuple[str, ...]]:
    """Return the app that is meant, None for all of them, and the words that stand behind it.

    With --global no app is named, so the first word is not one. Raises UsageError, NotFound,
    Forbidden.
    """
    if is_global:
        context.require(Access.ADMIN)
        return None, words if app is None else (app, *words)
    if app is None:
        raise UsageError("No app is named", hint="Name one, or give --global.")
    return context.app(app), words


def meant(context: Context, app: str | None) -> tuple[App, ...]:
    """Return the app that is named, or all that the actor may see. Raises NotFound, Forbidden."""
    return (context.app(app),) if app else context.apps()


def names_property(metavar: str) -> Callable[[Function], Function]:
    """Give a command `[APP] KEY [VALUE]` and --global; choose() tells them apart."""

    def decorate(function: Function) -> Function:
        words = click.argument("words", nargs=-1, metavar=metavar)
        return click.argument("app", required=False)(words(for_all(function)))

    return decorate


def key_and_value(words: tuple[str, ...]) -> tuple[str, str]:
    """Return the property that was named and its value, "" if none was given. Raises UsageError."""
    if len(words) not in {1, 2}:
        raise UsageError("Give an app (or --global), a key, and a value to set it to")
    return words[0], "".join(words[1:])


def report_apps(  # noqa: PLR0913, PLR0917 - what a report is about, and how it was typed
    context: Context,
    topic: str,
    app: str | None,
    describe: Callable[[App], Mapping[str, object]],
    style: str,
    only: str | None,
) -> None:
    """Print the report of the app, or of all apps that the actor may see. Raises NotFound."""
    if app:
        show_report(topic, app, describe(context.app(app)), style, only)
    else:
        show_reports(topic, {each.name: describe(each) for each in context.apps()}, style, only)
