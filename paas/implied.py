"""The app that a client's git remote names: it stands in where a command wants an app.

`--in shop logs -t` is `logs shop -t`, but `--in shop logs other` and `--in shop apps:list` stay as
they are. Nothing is guessed: what could be meant in two ways is refused.
"""

from collections.abc import Callable

import click

from paas.commands.declare import Command
from paas.errors import UsageError

FLAG = "--in"
EVERY = {"--all", "--global", "--help", "-h"}  # who types these means no single app


def take_implied(argv: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """Return argv without a leading `--in APP`, and that app."""
    if len(argv) > 1 and argv[0] == FLAG:
        return argv[2:], argv[1]
    return argv, None


def place_app(
    command: Command, args: tuple[str, ...], implied: str, is_app: Callable[[str], bool]
) -> tuple[str, ...]:
    """Return the arguments with the implied app in front, where the command wants it there.

    `is_app` says whether a word names an app that the actor may see. Raises UsageError when the
    first word may be meant as an app, or as something of the implied one.
    """
    arguments = [each for each in command.click.params if isinstance(each, click.Argument)]
    if not arguments or arguments[0].name != "app" or EVERY & set(args):
        return args
    typed = _first_word(command, args)
    inserted = (implied, *args)
    if not _fits(command, inserted) or typed == implied:
        return args
    if typed is not None and _fits(command, args) and is_app(typed):
        raise UsageError(
            f"{typed} may be the app {typed}, or something of the app {implied}",
            hint=f"Say which app: --app {implied}, or --app {typed}",
        )
    return inserted


def _fits(command: Command, args: tuple[str, ...]) -> bool:
    """Whether the words are as many as the command wants, with flags that it knows."""
    try:
        found, rest = _parse(command, args)
    except click.ClickException:
        return False
    wanted = [each.name for each in command.click.params if each.required]
    return not rest and all(found.get(name) for name in wanted if name)


def _first_word(command: Command, args: tuple[str, ...]) -> str | None:
    try:
        found, _ = _parse(command, args)
    except click.ClickException:
        return None
    word = found.get("app")
    return word if isinstance(word, str) else None


def _parse(command: Command, args: tuple[str, ...]) -> tuple[dict[str, object], list[str]]:
    """Sort the words to the parameters; no value is checked, and no callback is called."""
    parser = command.click.make_parser(click.Context(command.click))
    found, rest, _ = parser.parse_args(list(args))
    return {name: value for name, value in found.items() if isinstance(value, str | tuple)}, rest
