"""How a command is declared: name, arguments, help, examples and access stand on the function."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import click

from paas import access as rules
from paas.access import Access
from paas.doors.control import Control
from paas.doors.request import Request
from paas.errors import Forbidden
from paas.model import Actor, App
from paas.platform import Platform

__all__ = ["REGISTRY", "Access", "Command", "Context", "command"]


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


@dataclass(frozen=True)
class Context:
    """What a command works with: `@click.pass_obj` hands it over as the first argument."""

    platform: Platform
    request: Request
    actor: Actor
    command: Command
    control: Control = field(default_factory=Control)  # without a client, nothing ever happens

    def app(self, name: str, needs: Access | None = None) -> App:
        """Return the app that was typed. Raises NotFound (20), also for one that may not be seen.

        The only way from a name to an app in a command: this is where access is checked. Raises
        Forbidden when the actor's role there is less than the command needs, or than `needs`.
        """
        return rules.find_app(self.platform.store, self.actor, name, needs or self.command.access)

    def apps(self) -> tuple[App, ...]:
        """Return all apps at which the actor may use the command, by name."""
        return rules.list_apps(self.platform.store, self.actor, self.command.access)

    def create_app(self, name: str) -> App:
        """Create an app; the user who typed it becomes its owner. Raises Conflict, InvalidName."""
        return rules.create_app(self.platform.store, self.actor, name)

    def require(self, needs: Access) -> None:
        """Raise Forbidden unless the actor may do more than the command itself needs.

        For a flag such as --global: `context.require(Access.ADMIN)`.
        """
        remote = self.platform.settings.remote_host_verbs
        verb = str(click.get_current_context().info_name)
        rules.authorise(verb, needs, self.actor, remote_host_verbs=remote)

    def may(self, needs: Access) -> bool:
        """Whether require() would let it pass."""
        try:
            self.require(needs)
        except Forbidden:
            return False
        return True


REGISTRY: dict[str, Command] = {}


def command(
    name: str,
    *,
    access: Access = Access.HOST,
    examples: tuple[str, ...] = (),
    hidden: bool = False,
) -> Callable[[Callable[..., Any]], Command]:
    """Declare a verb. The docstring is its help; stack click's arguments and options below.

    What is `hidden` is for programs: no list of verbs names it, its help is there.
    """

    def declare(function: Callable[..., Any]) -> Command:
        made = click.command(name=name, hidden=hidden)(click.pass_obj(function))
        REGISTRY[name] = Command(name, access, examples, made)
        return REGISTRY[name]

    return declare
