"""Verbs that are about one app, or with --global about all of them."""

import click

from paas.commands.declare import Access, Context
from paas.errors import UsageError
from paas.model import App

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


def key_and_value(words: tuple[str, ...]) -> tuple[str, str]:
    """Return the property that was named and its value, "" if none was given. Raises UsageError."""
    if len(words) not in {1, 2}:
        raise UsageError("Give an app (or --global), a key, and a value to set it to")
    return words[0], "".join(words[1:])
