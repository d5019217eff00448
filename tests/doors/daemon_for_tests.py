"""A whole daemon with the real supervisor, doors and dispatch, and a few commands for tests.

Run as a program: `daemon_for_tests.py {fingerprint: name} {limit: value}`, both JSON; the settings
come from PAAS_* variables.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click

from paas import background, daemon, dispatch
from paas.commands import help as _help  # noqa: F401 - declares help
from paas.commands.declare import Access, Context, command
from paas.daemon_log import open_log
from paas.doors.control import Control
from paas.doors.request import Request
from paas.errors import NotFound
from paas.locks import Locks
from paas.model import SshKey
from paas.platform import Platform
from paas.settings import Settings, load
from paas.state.store import SqliteStore


@command("test:echo", access=Access.DEPLOYER, examples=("test:echo a b",))
@click.argument("words", nargs=-1)
def echo(context: Context, words: tuple[str, ...]) -> None:
    """Print who asks, and the words."""
    click.echo(f"{context.actor.name} {list(words)!r}")
    click.echo("on stderr", err=True)


@command("test:digest", access=Access.DEPLOYER)
def digest(context: Context) -> None:
    """Read stdin to its end, print length and checksum, then send it back."""
    data = sys.stdin.buffer.read()
    sys.stdout.buffer.write(f"{len(data)} {hashlib.sha256(data).hexdigest()}\n".encode() + data)


@command("test:cat", access=Access.DEPLOYER)
def cat(context: Context) -> None:
    """Send stdin back as it comes."""
    shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)


@command("test:exit", access=Access.DEPLOYER)
@click.argument("status", type=int)
def leave(context: Context, status: int) -> int:
    """Exit with a status."""
    return status


@command("test:missing", access=Access.DEPLOYER)
def missing(context: Context) -> None:
    """Fail as for an app that is missing."""
    raise NotFound("App x does not exist", hint="apps:list", details=("a detail",))


@command("test:bug", access=Access.DEPLOYER)
def bug(context: Context) -> None:
    """Fail as nobody planned."""
    raise RuntimeError("the cause that users never see")


@command("test:host")
def host(context: Context) -> None:
    """Touch the host."""
    click.echo("touched")


@command("test:terminal", access=Access.DEPLOYER)
def terminal(context: Context) -> None:
    """Say what kind of terminal there is."""
    size = shutil.get_terminal_size((1, 1)) if sys.stdout.isatty() else None
    click.echo(f"tty={sys.stdin.isatty()} {size and tuple(size)} {os.environ.get('TERM')}")


@command("test:resize", access=Access.DEPLOYER)
def resize(context: Context) -> None:
    """Wait for a new window size and print it."""
    changed: list[tuple[int, int]] = []
    context.control.on_resize(lambda rows, columns: changed.append((rows, columns)))
    click.echo("ready")
    while not changed:
        time.sleep(0.01)
    click.echo(f"{changed[0]} {context.control.size}")


@command("test:wait", access=Access.DEPLOYER)
@click.argument("file", type=click.Path())
@click.option("--outlive", is_flag=True)
def wait(context: Context, file: str, outlive: bool) -> None:
    """Wait until interrupted, and write down how it ended; with --outlive only for the hang-up."""
    if outlive:
        context.control.outlive_client()
    try:
        click.echo(f"pid {os.getpid()}")
        if context.control.hung_up.wait(20):
            time.sleep(0.2)
    except KeyboardInterrupt as interrupt:
        note(file, f"interrupted {interrupt}")
        raise
    note(file, f"finished, hung up: {context.control.hung_up.is_set()}")


@command("test:clean", access=Access.DEPLOYER)
@click.argument("file", type=click.Path())
def clean(context: Context, file: str) -> None:
    """Clean up for a while when interrupted, and write down whether that was left to its end."""
    try:
        click.echo(f"pid {os.getpid()}")
        time.sleep(20)
    except KeyboardInterrupt as interrupt:
        try:
            time.sleep(1)
        except KeyboardInterrupt as another:
            note(file, f"{interrupt}, then {another} amid the cleaning")
            raise
        note(file, f"{interrupt}, and all is clean")
        raise


def note(file: str, text: str) -> None:
    new = Path(f"{file}.new")
    new.write_text(text)
    new.replace(file)


@command("test:environ", access=Access.DEPLOYER)
def environ(context: Context) -> None:
    """Print the environment."""
    click.echo("\n".join(f"{name}={value}" for name, value in os.environ.items()))


@command("test:limits", access=Access.DEPLOYER)
def limits(context: Context) -> None:
    """Allocate more than a request may."""
    click.echo(len(bytearray(2 * 1024**3)))


@dataclass
class SmallPlatform:
    """Settings, database and locks: all that dispatch and these commands look at."""

    settings: Settings
    store: SqliteStore
    locks: Locks


def open_store(settings: Settings, names: dict[str, str]) -> SqliteStore:
    """Return a database in which the owners of these fingerprints are users."""
    store = SqliteStore(settings)
    store.make()
    known = {key.fingerprint for key in store.keys.list()}  # when the daemon is started again
    for fingerprint, name in names.items():
        if fingerprint not in known:
            store.keys.add(SshKey(name, "ssh-ed25519", "", fingerprint, 0.0))
    store.close()
    return store


def tick(platform: Platform) -> None:
    with (platform.settings.run / "ticks").open("a") as file:
        file.write(f"{os.getpid()}\n")


def main() -> None:
    settings = load()
    names, limits = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    store = open_store(settings, names)
    platform = cast("Platform", SmallPlatform(settings, store, Locks(settings.locks)))
    open_log(settings.logs / "paas.log")

    def handle(request: Request, uid: int, control: Control) -> int:
        return dispatch.handle(platform, request, uid, control)

    def run_background(lifeline: int) -> None:
        tasks = (background.Task("tick", 3600.0, tick),)
        background.run_tasks(platform, tasks, lifeline)

    daemon.Supervisor(settings, handle, run_background, **limits).serve()


if __name__ == "__main__":
    main()
