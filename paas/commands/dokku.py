"""dokku:import: takes over the apps of an existing Dokku host."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, listing, show_json
from paas.dokku.folders import DokkuFolders
from paas.dokku.found import DokkuHost, FoundApp
from paas.dokku.recreate import Outcome, recreate
from paas.dokku.remote import TARGET, DokkuOverSsh
from paas.errors import PaasError, UsageError
from paas.reporter import DETAIL, MILESTONE, PROBLEM, STEP, clean


@command(
    "dokku:import",
    access=Access.HOST,
    examples=(
        "dokku:import dokku@old.example.org --dry-run",
        "dokku:import dokku@old.example.org",
        "dokku:import /home/dokku shop blog",
        "dokku:import /mnt/old/home/dokku --data /mnt/old/var/lib/dokku",
        "dokku:import dokku@old.example.org my.shop --as my-shop",
    ),
)
@click.argument("source", metavar="HOST|FOLDER")
@click.argument("apps", nargs=-1)
@click.option("--data", default="/var/lib/dokku", help="Dokku's other folder; /var/lib/dokku.")
@click.option("--as", "new_name", help="Another name for the one app that is given.")
@click.option("--dry-run", is_flag=True, help="Only show what would be taken over.")
@listing
def dokku_import(  # noqa: PLR0913, PLR0917 - click hands each option over by itself
    context: Context,
    source: str,
    apps: tuple[str, ...],
    data: str,
    new_name: str | None,
    dry_run: bool,
    style: str,
) -> int:
    """Recreate the apps of a Dokku host: config, domains, scale, deploy branch, certificates.

    It is read over ssh (with root's key) or from its /home/dokku; nothing changes there. The
    code comes with the next push to here; what cannot be taken over is listed. Exits 1 if an app
    was not taken over, and can be run again for those.
    """
    host = _open(source, data)
    names = apps or host.apps()
    if new_name and len(names) != 1:
        raise UsageError(
            "--as needs exactly one app", hint="Name it: dokku:import HOST APP --as NEW"
        )
    context.control.outlive_client()
    results = [_take(context, host, name, new_name or name, is_dry=dry_run) for name in names]
    if style == JSON:
        show_json(results)
    else:
        _show(context, results, host.config(), is_dry=dry_run)
    return int(any("error" in result for result in results))


def _open(source: str, data: str) -> DokkuHost:
    if source.startswith("/"):
        return DokkuFolders(Path(source), Path(data))
    if TARGET.fullmatch(source):
        return DokkuOverSsh(source)
    raise UsageError(
        f"{clean(source)!r} is neither user@host nor a whole path",
        hint="Give dokku@old.example.org, or /home/dokku",
    )


def _take(
    context: Context, host: DokkuHost, name: str, new_name: str, *, is_dry: bool
) -> dict[str, object]:
    try:
        found = host.read(name)
        if is_dry:
            return _preview(found, new_name)
        return _describe(recreate(context.platform, found, new_name, context.actor.user))
    except PaasError as error:
        return {"app": new_name, "error": error.message, "hint": error.hint}


def _preview(found: FoundApp, name: str) -> dict[str, object]:
    return {
        "app": name,
        "config": len(found.config),
        "domains": list(found.domains),
        "scale": dict(found.scale),
        "certificate": found.certificate is not None,
        "notes": list(found.left),
    }


def _describe(outcome: Outcome) -> dict[str, object]:
    return {
        "app": outcome.name,
        "config": outcome.config,
        "domains": list(outcome.domains),
        "scale": outcome.scale,
        "certificate": outcome.has_certificate,
        "notes": list(outcome.notes),
    }


def _show(
    context: Context, results: list[dict[str, object]], config: Mapping[str, str], *, is_dry: bool
) -> None:
    for result in results:
        if "error" in result:
            click.echo(f"{PROBLEM}{result['app']}: {clean(str(result['error']))}", err=True)
            click.echo(f"{PROBLEM}{clean(str(result['hint']))}", err=True)
            continue
        click.echo(f"{STEP}{result['app']}")
        for line in _lines(result):
            click.echo(f"{DETAIL}{clean(line)}")
    if config:
        click.echo(
            f"{PROBLEM}Config of all apps is not taken over: {clean(' '.join(config))}", err=True
        )
        click.echo(f"{PROBLEM}Set it here: config:set --global KEY=VALUE", err=True)
    taken = sum("error" not in result for result in results)
    click.echo(
        f"{MILESTONE}{taken} of {len(results)} apps {'can be' if is_dry else 'are'} taken over"
    )
    settings = context.platform.settings
    url = settings.remote("APP")
    click.echo(f"{DETAIL}Now push each: git remote add paas {url} && git push paas HEAD:main")


def _lines(result: Mapping[str, object]) -> Iterator[str]:
    yield f"{result['config']} config vars"
    if result["domains"]:
        yield f"domains: {' '.join(map(str, _list(result['domains'])))}"
    if result["scale"]:
        yield f"scale: {' '.join(f'{k}={v}' for k, v in dict(_pairs(result['scale'])).items())}"
    if result["certificate"]:
        yield "its certificate"
    yield from (f"not taken over: {note}" for note in map(str, _list(result["notes"])))


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _pairs(value: object) -> dict[object, object]:
    return dict(value) if isinstance(value, dict) else {}
