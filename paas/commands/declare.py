"""How a command is declared: name, arguments, help, examples and access stand on the function."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import click

from paas.doors.control import Control
from paas.doors.request import Request
from paas.model import Actor, App
from paas.platform import Platform


class Access(StrEnum):
    """What an actor needs. The default of a command that says nothing is HOST."""

    ANYONE = "anyone"  # every key that is known: help, version
    MEMBER = "member"  # names no app, or one that does not exist yet: apps:list, apps:create
    VIEWER = "viewer"  # reads an app, but no values of its config
    DEPLOYER = "deployer"  # pushes and operates an app
    OWNER = "owner"  # may end, rename, open or hand over an app
    ADMIN = "admin"  # what concerns all apps: global settings, audit
    HOST = "host"  # touches the host's safety: root on the host, unless the owner allows remote


@dataclass(frozen=True)
class Context:
    """What a command works with: `@click.pass_obj` hands it over as the first argument."""

    platform: Platform
    request: Request
    actor: Actor
    control: Control = field(default_factory=Control)  # without a client, nothing ever happens

    def app(self, name: str) -> App:
        """Return the app that was typed. Raises NotFound (20), also for one that may not be seen.

        The only way from a name to an app in a command: this is where access is checked.
        """
        return self.platform.store.apps.get(name)

    def apps(self) -> tuple[App, ...]:
        """Return all apps that the actor may see, by name."""
        return self.platform.store.apps.list()


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
