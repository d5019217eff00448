"""config:export, config:bundle, config:import: config vars as files."""

import sys
from pathlib import Path

import click

from paas.commands.config import change, own_values, read_values, with_shared
from paas.commands.config import no_restart as no_restart_flag
from paas.commands.declare import Access, Context, command
from paas.commands.scope import choose, for_all
from paas.envfile import FORMATS, bundle, parse_envfile, parse_json
from paas.errors import PaasError, UsageError
from paas.model import CONFIG_TOTAL_BYTES
from paas.reporter import STEP, clean

INPUT_BYTES = 4 * CONFIG_TOTAL_BYTES  # with quotes, escapes and comments around the values
PARSERS = {"envfile": parse_envfile, "json": parse_json}


@command(
    "config:export",
    access=Access.DEPLOYER,
    examples=(
        "config:export shop",
        "config:export --format envfile shop > .env",
        "config:export --merged --format json shop",
    ),
)
@click.argument("app", required=False)
@for_all
@with_shared
@click.option(
    "--format",
    "style",
    type=click.Choice(list(FORMATS)),
    default="exports",
    metavar="FORMAT",
    help="How to print it.",
)
@click.option("--envfile", "style", flag_value="envfile", help="The same as --format envfile.")
def config_export(
    context: Context, app: str | None, is_global: bool, merged: bool, style: str
) -> None:
    """Print all config vars in a form that a shell, docker or a program reads.

    FORMAT is exports, envfile, docker-args, docker-args-keys, shell, pretty, json, json-list or
    pack-keys. On a terminal what would steer it is left out.
    """
    found, _ = choose(context, app, (), is_global=is_global)
    shown = FORMATS[style](read_values(context, found, merged=merged))
    click.echo(clean(shown) if sys.stdout.isatty() else shown, color=True)  # as config:get


@command(
    "config:bundle",
    access=Access.DEPLOYER,
    examples=("config:bundle shop > shop-config.tar", "config:bundle --merged shop | tar -x"),
)
@click.argument("app", required=False)
@for_all
@with_shared
def config_bundle(context: Context, app: str | None, is_global: bool, merged: bool) -> None:
    """Print a tar with a file per config var, named by its key."""
    if sys.stdout.isatty():
        raise UsageError("A tar is not for a terminal", hint="As in: config:bundle APP > vars.tar")
    found, _ = choose(context, app, (), is_global=is_global)
    sys.stdout.buffer.write(bundle(read_values(context, found, merged=merged)))
    sys.stdout.flush()


@command(
    "config:import",
    access=Access.DEPLOYER,
    examples=(
        "config:import shop - < .env",
        "config:import --replace shop - < .env",
        "config:import --format json shop - < vars.json",
    ),
)
@click.argument("app", required=False)
@click.argument("files", nargs=-1, metavar="FILE|-")
@for_all
@no_restart_flag
@click.option("--replace", is_flag=True, help="Remove the vars that the file does not have.")
@click.option(
    "--format", "style", type=click.Choice(list(PARSERS)), default="envfile", help="Of the file."
)
def config_import(  # noqa: PLR0913, PLR0917 - click gives one for each flag
    context: Context,
    app: str | None,
    files: tuple[str, ...],
    is_global: bool,
    no_restart: bool,
    replace: bool,
    style: str,
) -> None:
    """Set config vars from a file, in one new release. `-` reads standard input.

    Only root on the host may name a file there, with its whole path.
    """
    found, files = choose(context, app, files, is_global=is_global)
    if len(files) != 1:
        raise UsageError("One file is wanted", hint="As in: config:import APP - < .env")
    values = PARSERS[style](_read(context, files[0]))
    before = own_values(context, found)
    gone = [key for key in before if key not in values] if replace else []
    changed = {key: value for key, value in values.items() if before.get(key) != value}
    keys = clean(" ".join([*changed, *(f"-{key}" for key in gone)]))
    click.echo(f"{STEP}Importing config vars: {keys or 'nothing differs'}")
    if changed or gone:
        change(context, found, changed, gone, store_only=no_restart)


def _read(context: Context, file: str) -> str:
    """Return the text of stdin, or of a file on the host. Raises UsageError, PaasError."""
    if file == "-":
        data = sys.stdin.buffer.read(INPUT_BYTES + 1)
    elif context.actor.is_host and file.startswith("/"):
        data = _read_file(Path(file))
    else:
        raise UsageError(
            "Files on the host can be named by root there only, with their whole path",
            hint="Send yours: config:import APP - < FILE",
        )
    if len(data) > INPUT_BYTES:
        raise UsageError(f"This has more than {INPUT_BYTES} bytes", hint="Is it the right file?")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError("This is not UTF-8 text", hint="Is it the right file?") from error


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(INPUT_BYTES + 1)
    except OSError as error:
        raise PaasError(
            f"{clean(str(path))} cannot be read: {error.strerror}", hint="Name another file."
        ) from error
