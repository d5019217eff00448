"""builder:*, builder-dockerfile:*, app-json:*, buildpacks:*: how an app's code becomes an image."""

from collections.abc import Callable, Sequence

import click

from paas import builders
from paas.commands.declare import Access, Context, command
from paas.commands.reports import listing, number, report, show_list
from paas.commands.scope import choose, key_and_value, names_property, report_apps
from paas.errors import NotFound, UsageError
from paas.model import App
from paas.platform import Platform
from paas.reporter import STEP

EXAMPLES = {
    "builder": ("builder:set shop selected dockerfile", "builder:set shop build-dir services/web"),
    "builder-dockerfile": ("builder-dockerfile:set shop dockerfile-path deploy/Dockerfile",),
    "app-json": ("app-json:set shop appjson-path deploy/app.json",),
}


def _set(
    context: Context, topic: str, app: str | None, words: tuple[str, ...], *, is_global: bool
) -> None:
    found, words = choose(context, app, words, is_global=is_global)
    key, value = key_and_value(words)
    builders.set_property(context.platform, found, topic, key, value)
    whose = found.name if found else "all apps"
    click.echo(f"{STEP}{key} of {whose} is {value or 'cleared'}; it holds from the next build")


def _describe(platform: Platform, app: App, topic: str) -> dict[str, object]:
    values: dict[str, object] = {}
    for key in builders.KEYS[topic]:
        values[key] = platform.store.properties.get(app.id, topic).get(key)
        values[f"global-{key}"] = platform.store.properties.get(None, topic).get(key)
        values[f"computed-{key}"] = builders.computed(platform, app, topic, key)
    return values


def _keys(topic: str) -> tuple[str, ...]:
    return tuple(f"{k}{key}" for key in builders.KEYS[topic] for k in ("", "global-", "computed-"))


def _report(context: Context, topic: str, app: str | None, style: str, only: str | None) -> None:
    platform = context.platform
    report_apps(context, topic, app, lambda each: _describe(platform, each, topic), style, only)


@command("builder:set", access=Access.DEPLOYER, examples=EXAMPLES["builder"])
@names_property("KEY [VALUE]")
def builder_set(context: Context, app: str | None, words: tuple[str, ...], is_global: bool) -> None:
    """Set what builds an app; an empty value clears.

    Keys: selected (dockerfile, or buildpack; else a Dockerfile goes first where there is one),
    build-dir (the folder of the repository that is built).
    """
    _set(context, "builder", app, words, is_global=is_global)


@command("builder:report", access=Access.VIEWER, examples=("builder:report shop",))
@click.argument("app", required=False)
@report("builder", *_keys("builder"))
def builder_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show what builds an app, or all apps."""
    _report(context, "builder", app, style, only)


@command("builder-dockerfile:set", access=Access.DEPLOYER, examples=EXAMPLES["builder-dockerfile"])
@names_property("KEY [VALUE]")
def builder_dockerfile_set(
    context: Context, app: str | None, words: tuple[str, ...], is_global: bool
) -> None:
    """Set dockerfile-path: the file that is taken for the Dockerfile, below build-dir."""
    _set(context, "builder-dockerfile", app, words, is_global=is_global)


@command(
    "builder-dockerfile:report",
    access=Access.VIEWER,
    examples=("builder-dockerfile:report shop",),
)
@click.argument("app", required=False)
@report("builder-dockerfile", *_keys("builder-dockerfile"))
def builder_dockerfile_report(
    context: Context, app: str | None, style: str, only: str | None
) -> None:
    """Show which file is taken for the Dockerfile."""
    _report(context, "builder-dockerfile", app, style, only)


@command("app-json:set", access=Access.DEPLOYER, examples=EXAMPLES["app-json"])
@names_property("KEY [VALUE]")
def app_json_set(
    context: Context, app: str | None, words: tuple[str, ...], is_global: bool
) -> None:
    """Set appjson-path: the file that is taken for app.json, below build-dir."""
    _set(context, "app-json", app, words, is_global=is_global)


@command("app-json:report", access=Access.VIEWER, examples=("app-json:report shop",))
@click.argument("app", required=False)
@report("app-json", *_keys("app-json"))
def app_json_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show which file is taken for app.json."""
    _report(context, "app-json", app, style, only)


@command("buildpacks:list", access=Access.VIEWER, examples=("buildpacks:list shop",))
@click.argument("app")
@listing
def buildpacks_list(context: Context, app: str, style: str) -> None:
    """List the buildpacks of an app in the order they are asked; the first that matches builds."""
    names = builders.buildpacks(context.platform, context.app(app))
    show_list(f"{app} buildpack urls", names, style)


@command(
    "buildpacks:add",
    access=Access.DEPLOYER,
    examples=("buildpacks:add shop python", "buildpacks:add --index 1 shop node"),
)
@click.argument("app")
@click.argument("buildpack")
@click.option("--index", callback=number, help="Its place, from 1; default: the last.")
def buildpacks_add(context: Context, app: str, buildpack: str, index: int | None) -> None:
    """Add a buildpack of paas. Foreign ones are refused: their code would run in builds."""

    def add(names: list[str], name: str) -> None:
        names.insert(len(names) if index is None else max(index - 1, 0), name)

    _change(context, app, buildpack, add)


@command(
    "buildpacks:set",
    access=Access.DEPLOYER,
    examples=("buildpacks:set shop python", "buildpacks:set --index 2 shop static"),
)
@click.argument("app")
@click.argument("buildpack")
@click.option("--index", callback=number, default="1", help="The place whose buildpack it takes.")
def buildpacks_set(context: Context, app: str, buildpack: str, index: int) -> None:
    """Put a buildpack in the place of another (default: the first)."""

    def put(names: list[str], name: str) -> None:
        names[max(index - 1, 0) : index] = [name]

    _change(context, app, buildpack, put)


@command(
    "buildpacks:remove",
    access=Access.DEPLOYER,
    examples=("buildpacks:remove shop python", "buildpacks:remove --index 1 shop"),
)
@click.argument("app")
@click.argument("buildpack", required=False)
@click.option("--index", callback=number, help="The place of the one to remove.")
def buildpacks_remove(context: Context, app: str, buildpack: str | None, index: int | None) -> None:
    """Take a buildpack away, by its name or by its place."""
    platform, found = context.platform, context.app(app)
    names = list(builders.buildpacks(platform, found))
    if (buildpack is None) == (index is None):
        raise UsageError("Give a buildpack, or its place with --index")
    place = index - 1 if index is not None else _place(names, str(buildpack))
    if not 0 <= place < len(names):
        raise NotFound(f"{app} has no such buildpack", hint=f"See: buildpacks:list {app}")
    del names[place]
    _store(context, found, names)


@command("buildpacks:clear", access=Access.DEPLOYER, examples=("buildpacks:clear shop",))
@click.argument("app")
def buildpacks_clear(context: Context, app: str) -> None:
    """Take all buildpacks away: what is pushed says again which one fits."""
    _store(context, context.app(app), [])


@command("buildpacks:report", access=Access.VIEWER, examples=("buildpacks:report shop",))
@click.argument("app", required=False)
@report("buildpacks", "list", "available")
def buildpacks_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show the buildpacks of an app, or of all apps, and those that there are."""
    platform = context.platform

    def describe(each: App) -> dict[str, object]:
        known = platform.builder.buildpacks()
        return {"list": builders.buildpacks(platform, each), "available": known}

    report_apps(context, "buildpacks", app, describe, style, only)


def _change(
    context: Context, app: str, buildpack: str, change: Callable[[list[str], str], None]
) -> None:
    found = context.app(app)
    name = builders.buildpack_name(context.platform, buildpack)
    names = [n for n in builders.buildpacks(context.platform, found) if n != name]
    change(names, name)
    _store(context, found, names)


def _place(names: Sequence[str], name: str) -> int:
    return list(names).index(name) if name in names else -1


def _store(context: Context, app: App, names: Sequence[str]) -> None:
    builders.set_buildpacks(context.platform, app, names)
    shown = " ".join(names) or "whichever fits"
    click.echo(f"{STEP}Buildpacks of {app.name}: {shown}; from the next build on")
