"""backup:*: all that cannot be made again, in one file, and back into a fresh instance."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from paas.backup import transfer
from paas.commands.declare import Access, Context, command
from paas.errors import UsageError
from paas.pidfile import holder
from paas.reporter import DETAIL, MILESTONE, STEP
from paas.settings import Settings

STREAM = "-"


@command(
    "backup:export",
    access=Access.HOST,
    examples=("backup:export /root/paas.tar", "backup:export --images - | ssh other tar t"),
)
@click.argument("file")
@click.option("--images", is_flag=True, help="With the images of all kept releases.")
def backup_export(context: Context, file: str, *, images: bool) -> None:
    """Write database, repositories, the owner's hooks and templates, and the host key to a tar.

    Apps go on and may be pushed to meanwhile. The file holds every secret of every app: config
    values, logins, the ssh door's private key. Without images, apps are built again from the
    commits that are kept.
    """
    with _target(file) as out:
        transfer.export(context.platform, out, _say, with_images=images)
    click.echo(f"{MILESTONE}Exported{'' if file == STREAM else f' to {file}'}", err=True)


@command(
    "backup:import",
    access=Access.HOST,
    examples=("backup:import /root/paas.tar", "backup:import - < paas.tar"),
)
@click.argument("file")
def backup_import(context: Context, file: str) -> None:
    """Make a fresh instance what a backup was: apps, config, releases, domains, keys.

    The instance must have no apps; its keys are replaced. Then the daemon starts everything, as
    after a boot: apps:list and ps:report show how far it is.
    """
    context.control.outlive_client()
    with _source(file) as source:
        transfer.restore(context.platform, source, _say)
    click.echo(f"{MILESTONE}Imported", err=True)
    _start_anew(context.platform.settings)


def _start_anew(settings: Settings) -> None:
    """Let the daemon's helpers begin anew, with the new keys and apps."""
    pid = holder(settings.pid_file)
    if pid:
        os.kill(pid, signal.SIGHUP)
        click.echo(f"{DETAIL}Apps are being started; see: paas ps:report", err=True)
    else:
        click.echo(f"{DETAIL}Start everything: paas start", err=True)


def _say(text: str) -> None:
    click.echo(f"{STEP}{text}", err=True)


@contextmanager
def _target(file: str) -> Iterator[BinaryIO]:
    """Open the file for root alone; it gets its name when it is whole."""
    if file == STREAM:
        if sys.stdout.isatty():
            raise UsageError("A backup is no text", hint="Redirect it: paas backup:export - > FILE")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = _absolute(file)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _source(file: str) -> Iterator[BinaryIO]:
    if file == STREAM:
        yield sys.stdin.buffer
        return
    try:
        opened = _absolute(file).open("rb")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    with opened:
        yield opened


def _absolute(file: str) -> Path:
    """Return the path; the daemon works elsewhere than who typed it."""
    path = Path(file)
    if not path.is_absolute():
        raise UsageError(
            f"{file!r} is not a whole path", hint=f"Give /the/whole/path/{path.name}, or -"
        )
    return path
