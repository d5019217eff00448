"""What a user reads when no command runs: errors, and help made from the registry."""

import contextlib
import sys
import textwrap
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from inspect import cleandoc

import click

from paas.commands.declare import Access, Command
from paas.errors import PaasError, UsageError
from paas.reporter import DETAIL, PROBLEM, WIDTH, clean

WHO = {
    Access.VIEWER: "For viewers of the app.",
    Access.DEPLOYER: "For deployers of the app.",
    Access.OWNER: "For owners of the app.",
    Access.ADMIN: "For admins.",
    Access.HOST: "On the host only.",
}

ALIKE = 0.75  # of difflib's ratio: one slip in four letters is, another word with as many is not


def show_error(error: PaasError) -> None:
    """Write an error to stderr: what happened, the details, what to do; unless it was shown."""
    if not error.shown:
        details = [f"| {line}" for line in error.details]
        lines = [*error.message.splitlines(), *details, *error.hint.splitlines()]
        with contextlib.suppress(OSError):  # nobody is there to read it
            sys.stderr.write("".join(f"{PROBLEM}{clean(line)}\n" for line in lines))


def explain_usage(error: click.ClickException, command: Command) -> UsageError:
    """Return what click refused, in our words where its own are about its inside."""
    message = error.format_message().removesuffix(".")
    param = error.param if isinstance(error, click.BadParameter) else None
    if param and isinstance(param.type, click.Choice):
        name = param.opts[0] if isinstance(param, click.Option) else str(param.name).upper()
        message = f"{name} of {command.name} can only be {' or '.join(param.type.choices)}"
    example = f"As in: {command.examples[0]}\n" if command.examples else ""
    return UsageError(message, hint=f"{example}{command.topic}:help shows how it is typed")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like `word`, if one is alike."""
    return next(iter(get_close_matches(word, sorted(known), n=1, cutoff=ALIKE)), None)


def topics(registry: Mapping[str, Command]) -> str:
    """Return the text of `help`: every topic with its verbs."""
    grouped: dict[str, list[str]] = {}
    for name in sorted(registry):
        if not registry[name].click.hidden:
            grouped.setdefault(registry[name].topic, []).append(name)
    width = max(map(len, grouped), default=0)
    lines = [
        f"       {topic:{width}}  {', '.join(name.partition(':')[2] or name for name in names)}"
        for topic, names in grouped.items()
    ]
    return "\n".join(
        [
            "Usage: paas TOPIC:VERB [--flags] [APP] [ARGUMENTS]",
            "",
            "=====> Topics",
            *lines,
            "",
            "TOPIC:help says more.",
            "",
        ]
    )


def topic_help(topic: str, registry: Mapping[str, Command]) -> str:
    """Return the help of one topic: each verb with its usage, help and examples."""
    commands = [registry[name] for name in sorted(registry) if registry[name].topic == topic]
    return "\n".join([f"=====> {topic}", *(verb_help(command) for command in commands)]) + "\n"


def verb_help(command: Command) -> str:
    """Return the help of one verb: usage, what it does, who may type it, options, examples."""
    context = command.click.make_context(command.name, [], resilient_parsing=True)
    usage = " ".join([command.name, *command.click.collect_usage_pieces(context)])
    options = [record for p in command.click.params if (record := p.get_help_record(context))]
    access = [WHO[command.access]] if command.access in WHO else []
    return "\n".join(
        [
            f"-----> {usage}",
            *(f"{DETAIL}{line}".rstrip() for line in _wrap(command.click.help or "")),
            *(f"       {line}" for line in access),
            *(f"       {flag:20}  {text}" for flag, text in options if text and flag != "--help"),
            *(f"       $ {example}" for example in command.examples),
        ]
    )


def _wrap(text: str) -> list[str]:
    """Return a docstring in lines of our width."""
    lines: list[str] = []
    for paragraph in cleandoc(text).split("\n\n"):
        lines += ["", *_fill(paragraph)]
    return lines[1:]


def _fill(paragraph: str) -> list[str]:
    """Return lines that are kept, until one is too long: from there on they flow."""
    room = WIDTH - len(DETAIL)
    lines = paragraph.splitlines()
    kept = next((n for n, line in enumerate(lines) if len(line) > room), len(lines))
    return [*lines[:kept], *textwrap.wrap(" ".join(lines[kept:]), room)]
