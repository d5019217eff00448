"""config:*: the config vars of an app, and with --global those of all apps."""

import base64
import binascii
import sys
from collections.abc import Iterator, Mapping, Sequence

import click

from paas import rerelease
from paas.commands.declare import Access, Context, command
from paas.commands.reports import listing, show_json, show_list, title
from paas.commands.scope import choose, for_all
from paas.envfile import quote
from paas.environment import Environment, read_environment
from paas.errors import PaasError, UsageError
from paas.model import App
from paas.reporter import DETAIL, STEP, clean
from paas.verb import Cause

no_restart = click.option(
    "--no-restart", is_flag=True, help="Store it for the next release; leave what runs alone."
)
with_shared = click.option("--merged", is_flag=True, help="With the vars of all apps below them.")


@command(
    "config:set",
    access=Access.DEPLOYER,
    examples=(
        "config:set shop SECRET_KEY=s3cret DEBUG=0",
        "config:set --no-restart shop SECRET_KEY=s3cret",
        'config:set --encoded shop CERT="$(base64 -w0 cert.pem)"',
        "config:set --global SENTRY_DSN=https://sentry.example.org/1",
    ),
)
@click.argument("app", required=False)
@click.argument("pairs", nargs=-1, metavar="KEY=VALUE...")
@for_all
@no_restart
@click.option("--encoded", is_flag=True, help="The values are base64.")
def config_set(  # noqa: PLR0913, PLR0917 - click gives one for each flag
    context: Context,
    app: str | None,
    pairs: tuple[str, ...],
    is_global: bool,
    no_restart: bool,
    encoded: bool,
) -> None:
    """Set config vars and activate them in a new release.

    If the new release does not become healthy, nothing has changed. A var of all apps holds where
    an app has none of that name; each app takes it up with its next release.
    """
    found, pairs = choose(context, app, pairs, is_global=is_global)
    values = parse_pairs(pairs, encoded=encoded)
    click.echo(f"{STEP}Setting config vars of {_name(found)}: {clean(' '.join(values))}")
    change(context, found, values, store_only=no_restart)


@command(
    "config:unset",
    access=Access.DEPLOYER,
    examples=("config:unset shop DEBUG", "config:unset --no-restart shop DEBUG"),
)
@click.argument("app", required=False)
@click.argument("keys", nargs=-1, metavar="KEY...")
@for_all
@no_restart
def config_unset(
    context: Context, app: str | None, keys: tuple[str, ...], is_global: bool, no_restart: bool
) -> None:
    """Remove config vars and activate the rest in a new release."""
    found, keys = choose(context, app, keys, is_global=is_global)
    if not keys:
        raise UsageError("No key is named", hint="As in: config:unset APP KEY")
    known = own_values(context, found)
    present = [key for key in keys if key in known]
    for key in keys:
        verb = "Unsetting" if key in known else "Skipping, it is not set:"
        click.echo(f"{STEP}{verb} {clean(key)}")
    if present:
        change(context, found, {}, present, store_only=no_restart)


@command(
    "config:clear",
    access=Access.DEPLOYER,
    examples=("config:clear shop", "config:clear --no-restart shop", "config:clear --global"),
)
@click.argument("app", required=False)
@for_all
@no_restart
def config_clear(context: Context, app: str | None, is_global: bool, no_restart: bool) -> None:
    """Remove all config vars, and activate that in a new release."""
    found, _ = choose(context, app, (), is_global=is_global)
    keys = list(own_values(context, found))
    click.echo(f"{STEP}Clearing config vars of {_name(found)}: {' '.join(keys) or 'none is set'}")
    if keys:
        change(context, found, {}, keys, store_only=no_restart)


@command(
    "config:get",
    access=Access.DEPLOYER,
    examples=("config:get shop DEBUG", "config:get --quoted shop MOTTO"),
)
@click.argument("app", required=False)
@click.argument("keys", nargs=-1, metavar="KEY")
@for_all
@click.option("--quoted", is_flag=True, help="In single quotes, for a shell.")
def config_get(
    context: Context, app: str | None, keys: tuple[str, ...], is_global: bool, quoted: bool
) -> None:
    """Print one value as it is, on a terminal without what steers it; exit 1 if it is not set."""
    found, keys = choose(context, app, keys, is_global=is_global)
    if len(keys) != 1:
        raise UsageError("One key is wanted", hint="As in: config:get APP KEY")
    values, key = own_values(context, found), keys[0]
    if key not in values:
        keys_of = f"config:keys {found.name}" if found else "config:keys --global"
        raise PaasError(
            f"{clean(key)} is not set for {_name(found)}", hint=f"{keys_of} lists what is set"
        )
    shown = quote(values[key]) if quoted else values[key]
    # Byte by byte for a program; a terminal would obey what steers it. color: click's own cleaning
    click.echo(clean(shown) if sys.stdout.isatty() else shown, color=True)


@command(
    "config:show",
    access=Access.DEPLOYER,
    examples=("config:show shop", "config:show shop --merged", "config:show shop --format json"),
)
@click.argument("app", required=False)
@for_all
@with_shared
@listing
def config_show(
    context: Context, app: str | None, is_global: bool, merged: bool, style: str
) -> None:
    """Print all config vars with their values."""
    found, _ = choose(context, app, (), is_global=is_global)
    values = read_values(context, found, merged=merged)
    if style == "json":
        show_json(dict(values))
        return
    title(f"{_name(found)} env vars")
    width = max(map(len, values), default=0) + 1
    for key, value in values.items():
        line = clean(value).replace("\n", "\\n")
        click.echo(f"{f'{key}:':{width}}  {line}".rstrip())


@command(
    "config:keys",
    access=Access.VIEWER,
    examples=("config:keys shop", "config:keys shop --merged", "config:keys --global"),
)
@click.argument("app", required=False)
@for_all
@with_shared
@listing
def config_keys(
    context: Context, app: str | None, is_global: bool, merged: bool, style: str
) -> None:
    """List the keys that are set, without values."""
    found, _ = choose(context, app, (), is_global=is_global)
    show_list(f"{_name(found)} config keys", read_values(context, found, merged=merged), style)


def own_values(context: Context, app: App | None) -> Mapping[str, str]:
    """Return the vars that are set for the app; None: for all apps."""
    return context.platform.store.config.get(app.id if app else None)


def read_values(context: Context, app: App | None, *, merged: bool) -> Mapping[str, str]:
    """Return the app's own vars, or `merged` what its next release gets."""
    if app and merged:
        return read_environment(context.platform, app).merged
    return own_values(context, app)


def parse_pairs(pairs: Sequence[str], *, encoded: bool) -> dict[str, str]:
    """Return {key: value} of `KEY=VALUE` words. Raises UsageError, without showing a value."""
    if not pairs:
        raise UsageError("No var is given", hint="As in: config:set APP KEY=VALUE")
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


def change(
    context: Context,
    app: App | None,
    values: Mapping[str, str],
    remove: Sequence[str] = (),
    *,
    store_only: bool,
) -> None:
    """Set and remove vars: in a new release of the app, or only stored. Raises PaasError."""
    platform = context.platform
    if app is None:
        platform.store.config.change(None, values, remove)
        click.echo(f"{DETAIL}Stored; each app takes it up when it is deployed or restarted next")
        if behind := " ".join(_behind(context)):
            click.echo(f"{DETAIL}Not yet in: {behind}; now: ps:restart --all")
        return
    if store_only:
        platform.store.config.change(app.id, values, remove)
        click.echo(f"{DETAIL}Stored for the next release; now: ps:restart {app.name}")
        return
    cause = Cause(context.actor, str(click.get_current_context().info_name))
    if rerelease.reconfigure(platform, app, cause, values, remove) is None:
        click.echo(f"{DETAIL}Stored; {app.name} takes it up when it starts next")


def _behind(context: Context) -> Iterator[str]:
    """Yield the apps whose current release has other config than the next would have."""
    store = context.platform.store
    shared = store.config.get(None)
    for app in context.apps():
        release = store.releases.current(app.id)
        next_one = Environment(store.config.get(app.id), shared).merged
        if release and dict(release.config) != next_one:
            yield app.name


def _name(app: App | None) -> str:
    return app.name if app else "all apps"


def _decode(key: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise UsageError(
            f"The value of {clean(key)} is not base64 of UTF-8 text",
            hint="Encode it in one line: base64 -w0",
        ) from error
