"""How a command is declared: name, arguments, help, examples and access stand on the function."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import click

from paas.doors.control import Control
from paas.doors.request import Request
from paas.model import Actor
from paas.platform import Platform


class Access(StrEnum):
    """What an actor needs. The default of a command that says nothing is HOST."""

    ANYONE = "anyone"  # every key that is known: help, version
    DEPLOYER = "deployer"  # may push and operate apps; today every key
    HOST = "host"  # touches the host's safety: root on the host, unless the owner allows remote


@dataclass(frozen=True)
class Context:
    """What a command works with: `@click.pass_obj` hands it over as the first argument."""

    platform: Platform
    request: Request
    actor: Actor
    control: Control = field(default_factory=Control)  # without a client, nothing ever happens


@dataclass(frozen=True)
class Command:
    """One declared verb."""

    name: str  # "apps:create"
    access: Access
    examples: tuple[str, ...]
    click: click.Command

    @property
    def topic(self) -> str:
        """The part before the colon; the whole name for a verb without one."""
        return self.name.partition(":")[0]


REGISTRY: dict[str, Command] = {}


def command(
    name: str, *, access: Access = Access.HOST, examples: tuple[str, ...] = ()
) -> Callable[[Callable[..., Any]], Command]:
    """Declare a verb. The docstring is its help; stack click's arguments and options below."""

    def declare(function: Callable[..., Any]) -> Command:
        made = click.command(name=name)(click.pass_obj(function))
        REGISTRY[name] = Command(name, access, examples, made)
        return REGISTRY[name]

    return declare
