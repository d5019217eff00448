"""Destructive verbs want a name typed, unless --force is given."""

import sys

import click

from paas.errors import PaasError
from paas.reporter import PROBLEM, clean

force_flag = click.option("--force", is_flag=True, help="Do not ask for the name.")


def confirm(name: str, loss: str, verb: str) -> None:
    """Say what will be lost, and have the name typed on stdin. Raises PaasError for anything else.

    `verb` is the command that is confirmed, `loss` what it takes away in words.
    """
    click.echo(f"{PROBLEM}WARNING: Potentially Destructive Action", err=True)
    click.echo(f"{PROBLEM}This will destroy {loss}", err=True)
    click.echo(f'{PROBLEM}To proceed, type "{name}"', err=True)
    if sys.stdin.isatty():
        click.echo("> ", err=True, nl=False)
    typed = sys.stdin.readline(200).strip()
    if typed != name:
        raise PaasError(
            f"Confirmation did not match {name}: nothing was destroyed",
            details=(f"typed: {clean(typed)}",) if typed else (),
            hint=f"Type the name, or run: {verb} {name} --force",
        )
