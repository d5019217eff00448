"""complete: what a shell's completion script asks; see paas.client.completion."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import click

from paas.commands.declare import REGISTRY, Access, Command, Context, command

FLAGS = ("--app", "--force", "--quiet")  # those that may stand before the verb


@command("complete", access=Access.ANYONE, examples=("complete -- apps:cr",), hidden=True)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def complete(context: Context, words: tuple[str, ...]) -> None:
    """Print what can stand in the place of the last word: verbs, flags, apps, choices.

    Shells ask this; `paas completion bash` prints the script that does.
    """

    def apps() -> Iterator[str]:
        return (app.name for app in context.apps())

    for found in candidates(words or ("",), REGISTRY, apps):
        click.echo(found)


def candidates(
    words: Sequence[str], registry: Mapping[str, Command], apps: Callable[[], Iterable[str]]
) -> list[str]:
    """Return what the last word can become, sorted."""
    *before, last = words
    if before and before[-1] == "--app":
        possible = apps()
    elif not (typed := _after_global_flags(before)):
        possible = (*FLAGS, *_verbs(registry)) if last.startswith("-") else _verbs(registry)
    elif typed[0] in registry:
        possible = _of_command(registry[typed[0]], typed[1:], last, apps)
    else:
        possible = ()
    return sorted(name for name in set(possible) if name.startswith(last))


def _verbs(registry: Mapping[str, Command]) -> list[str]:
    return [name for name, each in registry.items() if not each.click.hidden]


def _after_global_flags(words: list[str]) -> list[str]:
    while words and words[0].startswith("--"):
        words = words[2:] if words[0] in {"--app", "--in"} else words[1:]
    return words


def _of_command(
    made: Command, before: list[str], last: str, apps: Callable[[], Iterable[str]]
) -> Iterable[str]:
    """Return the values of an option, the options, or what the next argument can be."""
    options = {flag: each for each in made.click.params for flag in _flags(each)}
    asked = options.get(before[-1]) if before else None
    if asked is not None and not getattr(asked, "is_flag", False):
        return _choices(asked)
    if last.startswith("-"):
        return [*options, "--help"]
    arguments = [each for each in made.click.params if isinstance(each, click.Argument)]
    count = sum(1 for _ in _positional(before, options))
    wanted = arguments[min(count, len(arguments) - 1)] if arguments else None
    if wanted is None or (count >= len(arguments) and wanted.nargs != -1):
        return ()
    return apps() if wanted.name == "app" else _choices(wanted)


def _flags(param: click.Parameter) -> list[str]:
    is_shown = isinstance(param, click.Option) and not param.hidden
    return [*param.opts, *param.secondary_opts] if is_shown else []


def _positional(words: list[str], options: Mapping[str, click.Parameter]) -> Iterator[str]:
    """Yield the words that are neither flags nor their values."""
    is_value = False
    for word in words:
        if not is_value and not word.startswith("-"):
            yield word
        option = options.get(word)
        is_value = option is not None and not getattr(option, "is_flag", False)


def _choices(param: click.Parameter) -> Iterable[str]:
    if isinstance(param.type, click.Choice):
        return map(str, param.type.choices)
    if param.name == "topic":
        return sorted({each.topic for each in REGISTRY.values() if not each.click.hidden})
    return ()
