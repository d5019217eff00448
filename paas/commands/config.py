"""config:*: the config vars of an app. Values are printed by get and show only."""

import base64
import binascii
from collections.abc import Mapping, Sequence

import click

from paas import operate
from paas.commands.declare import Access, Context, command
from paas.commands.reports import heading, listing, show_json, show_list
from paas.errors import PaasError, UsageError
from paas.reporter import DETAIL, STEP, clean

no_restart = click.option(
    "--no-restart", is_flag=True, help="Store it for the next release; leave what runs alone."
)


@command(
    "config:set",
    access=Access.DEPLOYER,
    examples=(
        "config:set shop SECRET_KEY=s3cret DEBUG=0",
        "config:set --no-restart shop SECRET_KEY=s3cret",
        'config:set --encoded shop CERT="$(base64 -w0 cert.pem)"',
    ),
)
@click.argument("app")
@click.argument("pairs", nargs=-1, required=True, metavar="KEY=VALUE...")
@no_restart
@click.option("--encoded", is_flag=True, help="The values are base64.")
def config_set(
    context: Context, app: str, pairs: tuple[str, ...], no_restart: bool, encoded: bool
) -> None:
    """Set config vars and activate them in a new release.

    If the new release does not become healthy, nothing has changed.
    """
    values = parse_pairs(pairs, encoded=encoded)
    click.echo(f"{STEP}Setting config vars of {app}: {' '.join(values)}")
    _change(context, app, values, store_only=no_restart)


@command(
    "config:unset",
    access=Access.DEPLOYER,
    examples=("config:unset shop DEBUG", "config:unset --no-restart shop DEBUG"),
)
@click.argument("app")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@no_restart
def config_unset(context: Context, app: str, keys: tuple[str, ...], no_restart: bool) -> None:
    """Remove config vars and activate the rest in a new release."""
    known = context.platform.store.config.get(context.app(app).id)
    present = [key for key in keys if key in known]
    for key in keys:
        verb = "Unsetting" if key in known else "Skipping, it is not set:"
        click.echo(f"{STEP}{verb} {clean(key)}")
    if present:
        _change(context, app, {}, present, store_only=no_restart)


@command("config:get", access=Access.DEPLOYER, examples=("config:get shop DEBUG",))
@click.argument("app")
@click.argument("key")
def config_get(context: Context, app: str, key: str) -> None:
    """Print one value as it is; exit 1 if it is not set."""
    values = context.platform.store.config.get(context.app(app).id)
    if key not in values:
        raise PaasError(
            f"{clean(key)} is not set for {app}", hint=f"config:keys {app} lists what is set"
        )
    click.echo(values[key], color=True)  # else click takes escape sequences out of it


@command(
    "config:show",
    access=Access.DEPLOYER,
    examples=("config:show shop", "config:show shop --format json"),
)
@click.argument("app")
@listing
def config_show(context: Context, app: str, style: str) -> None:
    """Print all config vars with their values."""
    values = context.platform.store.config.get(context.app(app).id)
    if style == "json":
        show_json(dict(values))
        return
    heading(f"{app} env vars")
    width = max(map(len, values), default=0) + 1
    for key, value in values.items():
        line = clean(value).replace("\n", "\\n")
        click.echo(f"{f'{key}:':{width}}  {line}".rstrip())


@command("config:keys", access=Access.DEPLOYER, examples=("config:keys shop",))
@click.argument("app")
@listing
def config_keys(context: Context, app: str, style: str) -> None:
    """List the keys that are set, without values."""
    found = context.app(app)
    show_list(f"{app} config keys", context.platform.store.config.get(found.id), style)


def parse_pairs(pairs: Sequence[str], *, encoded: bool) -> dict[str, str]:
    """Return {key: value} of `KEY=VALUE` words. Raises UsageError, without showing a value."""
    values = {}
    for place, pair in enumerate(pairs, start=1):
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(
                f"Argument {place} is not KEY=VALUE",
                hint="Put quotes around values with spaces: config:set APP 'KEY=two words'",
            )
        values[key] = _decode(key, value) if encoded else value
    return values


def _decode(key: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise UsageError(
            f"The value of {clean(key)} is not base64 of UTF-8 text",
            hint="Encode it in one line: base64 -w0",
        ) from error


def _change(
    context: Context,
    app: str,
    values: Mapping[str, str],
    remove: Sequence[str] = (),
    *,
    store_only: bool,
) -> None:
    platform = context.platform
    found = context.app(app)
    if store_only:
        platform.store.config.change(found.id, values, remove)
        click.echo(f"{DETAIL}Stored for the next release; now: ps:restart {app}")
        return
    cause = operate.Cause(context.actor, str(click.get_current_context().info_name))
    if operate.reconfigure(platform, found, cause, values, remove) is None:
        click.echo(f"{DETAIL}Stored; {app} takes it up when it starts next")
