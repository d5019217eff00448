"""releases:*: what was current, what changed, and how to get it back."""

import re

import click

from paas import rerelease, retention
from paas.changes import Changes, Difference, compare
from paas.commands.declare import Access, Context, command
from paas.commands.reports import (
    JSON,
    date,
    heading,
    listing,
    report,
    show_json,
    show_values,
)
from paas.commands.scope import report_apps
from paas.errors import NotFound, UsageError
from paas.model import App, Release
from paas.platform import Platform
from paas.reporter import DETAIL, STEP, clean
from paas.verb import current_release

VERSION = re.compile(r"v?([0-9]{1,9})", re.ASCII)
KEYS = ("current", "kept", "oldest", "possible", "retention")


def parse_version(text: str) -> int:
    """Return the number of `v12` or `12`. Raises UsageError."""
    match = VERSION.fullmatch(text)
    if not match:
        raise UsageError(f"{text!r} is not a release", hint="releases:list APP shows v1, v2, ...")
    return int(match[1])


@command(
    "releases:list",
    access=Access.VIEWER,
    examples=("releases:list shop", "releases:list shop --format json"),
)
@click.argument("app")
@listing
def releases_list(context: Context, app: str, style: str) -> None:
    """List the releases of an app, newest first; `*` marks the current one."""
    store = context.platform.store
    found = context.app(app)
    releases = store.releases.list(found.id)
    if style == JSON:
        show_json([_row(release) for release in releases])
        return
    heading(f"{app} releases")
    for release in releases:
        mark = "*" if release.version == found.version else " "
        click.echo(
            f"{mark} {f'v{release.version}':<6} {(release.commit or '-')[:7]:<8} "
            f"{date(release.created_at)}  {release.actor}: {release.reason}"
        )


@command(
    "releases:info",
    access=Access.VIEWER,
    examples=("releases:info shop", "releases:info shop v12 --format json"),
)
@click.argument("app")
@click.argument("version", required=False)
@listing
def releases_info(context: Context, app: str, version: str | None, style: str) -> None:
    """Describe a release (default: the current one). Config is shown without values."""
    platform = context.platform
    found = context.app(app)
    release = _find(platform, found, version)
    values = _describe(platform, found, release)
    if style == JSON:
        show_json(values)
        return
    heading(f"{app} v{release.version}")
    show_values(values.items())


@command(
    "releases:diff",
    access=Access.VIEWER,
    examples=("releases:diff shop", "releases:diff shop v3 v7", "releases:diff shop v3"),
)
@click.argument("app")
@click.argument("old", required=False)
@click.argument("new", required=False)
@listing
def releases_diff(context: Context, app: str, old: str | None, new: str | None, style: str) -> None:
    """Show what changed between two releases: commits, config keys, process types.

    Default: from the release before the current one to the current one. Values are not shown.
    """
    platform = context.platform
    found = context.app(app)
    to = _find(platform, found, new)
    since = _find(platform, found, old) if old else _before(platform, found, to)
    changes = compare(platform, found, since, to)
    if style == JSON:
        show_json(_as_json(since, to, changes))
        return
    heading(f"{app} v{since.version} -> v{to.version}")
    _show_changes(changes)


@command(
    "releases:rollback",
    access=Access.DEPLOYER,
    examples=(
        "releases:rollback shop",
        "releases:rollback shop v12",
        "releases:rollback shop v12 --keep-config",
    ),
)
@click.argument("app")
@click.argument("version", required=False)
@click.option("--keep-config", is_flag=True, help="Bring the code back, keep today's config.")
def releases_rollback(context: Context, app: str, version: str | None, keep_config: bool) -> None:
    """Make an earlier release (default: the one before) current again, as a new release.

    Twice in a row goes further back: after a rollback to v2 the one before is v1.

    Image and config come back; nothing is built. Databases, volumes and domains are not touched.
    To go forward again, push something new or run ps:rebuild: for git the old commit is
    "Everything up-to-date".
    """
    number = parse_version(version) if version else None
    found = context.app(app)
    made = rerelease.rollback(
        context.platform, found, context.actor, number, keep_config=keep_config
    )
    click.echo(f"{DETAIL}v{made.version} is a {made.reason}")
    config = ", config" if keep_config else ""
    click.echo(f"{DETAIL}Not rolled back: databases, volumes, domains{config}")
    click.echo(f"{DETAIL}Forward again: push something new, or ps:rebuild {app}")


@command(
    "releases:set",
    access=Access.DEPLOYER,
    examples=("releases:set shop retention 20", "releases:set shop retention"),
)
@click.argument("app")
@click.argument("key", type=click.Choice(["retention"]))
@click.argument("value", default="")
def releases_set(context: Context, app: str, key: str, value: str) -> None:
    """Set how many releases are kept, the current one included; empty brings 10 back.

    Older releases are dropped with their images: they cannot be rolled back to any more.
    """
    platform = context.platform
    found = context.app(app)
    number = str(retention.parse_retention(value)) if value else None
    platform.store.properties.set(found.id, retention.TOPIC, key, number)
    click.echo(f"{STEP}{app} keeps {retention.retention_of(platform, found)} releases")
    with platform.locks.app(found.id, context.actor.name, "releases:set"):
        retention.prune(platform, platform.store.apps.by_id(found.id))


@command(
    "releases:report",
    access=Access.VIEWER,
    examples=("releases:report", "releases:report shop --releases-retention"),
)
@click.argument("app", required=False)
@report("releases", *KEYS)
def releases_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show how many releases of an app, or of all apps, are kept, and which can come back."""
    platform = context.platform
    report_apps(context, "releases", app, lambda each: _summarise(platform, each), style, only)


def _find(platform: Platform, app: App, version: str | None) -> Release:
    if version is None:
        return current_release(platform, app)
    return platform.store.releases.get(app.id, parse_version(version))


def _before(platform: Platform, app: App, release: Release) -> Release:
    earlier = [r for r in platform.store.releases.list(app.id) if r.version < release.version]
    if not earlier:
        raise NotFound(
            f"There is no release before v{release.version}",
            hint=f"releases:list {app.name} shows what is kept",
        )
    return earlier[0]


def _row(release: Release) -> dict[str, object]:
    return {
        "version": f"v{release.version}",
        "commit": release.commit,
        "created_at": date(release.created_at),
        "actor": release.actor,
        "reason": release.reason,
        "deploy": release.deploy_id,
    }


def _describe(platform: Platform, app: App, release: Release) -> dict[str, object]:
    subject = platform.repos.subject(app, release.commit) if release.commit else ""
    checks = {name: len(listed) for name, listed in release.manifest.checks.items()}
    return {
        **_row(release),
        "subject": subject,
        "current": release.version == app.version,
        "image": release.image,
        "image_kept": release.image in platform.builder.images(app),
        "processes": {p.name: p.command or "(of the image)" for p in release.processes},
        "port": release.port,
        "config_keys": list(release.config),
        "formation": dict(release.manifest.formation),
        "predeploy": release.manifest.predeploy,
        "postdeploy": release.manifest.postdeploy,
        "checks": checks,
    }


def _summarise(platform: Platform, app: App) -> dict[str, object]:
    kept = [f"v{release.version}" for release in platform.store.releases.list(app.id)]
    possible = [f"v{release.version}" for release in retention.restorable(platform, app)]
    values = (
        f"v{app.version}" if app.version else None,
        len(kept),
        kept[-1] if kept else None,
        possible,
        retention.retention_of(platform, app),
    )
    return dict(zip(KEYS, values, strict=True))


def _show_changes(changes: Changes) -> None:
    """Print a section for each kind of change that there is."""
    commits = [f"+ {commit[:7]} {subject}" for commit, subject in changes.added_commits]
    commits += [f"- {commit[:7]} {subject}" for commit, subject in changes.removed_commits]
    sections = {
        "Commits": commits,
        "Config (values are not shown)": list(changes.config.lines()),
        "Process types": list(changes.processes.lines()),
        "Formation (app.json)": list(changes.formation.lines()),
        "Also changed": [f"~ {name}" for name in changes.others],
    }
    if not any(sections.values()):
        click.echo(f"{DETAIL}Nothing differs")
    for title, lines in sections.items():
        if lines:
            click.echo(f"{STEP}{title}")
        for line in lines:
            click.echo(f"{DETAIL}{clean(line)}")


def _as_json(old: Release, new: Release, changes: Changes) -> dict[str, object]:
    def names(difference: Difference) -> dict[str, object]:
        return {
            "added": difference.added,
            "removed": difference.removed,
            "changed": difference.changed,
        }

    return {
        "from": f"v{old.version}",
        "to": f"v{new.version}",
        "commits_added": [{"id": c, "subject": text} for c, text in changes.added_commits],
        "commits_removed": [{"id": c, "subject": text} for c, text in changes.removed_commits],
        "config": names(changes.config),
        "processes": names(changes.processes),
        "formation": names(changes.formation),
        "others": changes.others,
    }
