"""git:set, git:report, git:status, git:unlock, and what opens other hosts' repositories."""

import sys

import click

from paas import gitset, remotes
from paas.commands.declare import Access, Context, command
from paas.commands.reports import (
    JSON,
    date,
    heading,
    listing,
    number,
    report,
    show_json,
    show_values,
)
from paas.commands.scope import choose, key_and_value, names_property, report_apps
from paas.errors import Conflict, UsageError
from paas.model import App
from paas.platform import Platform
from paas.reporter import DETAIL, STEP

SHA, UPDATED = "sha", "last-updated-at"
KEYS = (
    *gitset.KEYS,
    *(f"{kind}-{key}" for key in gitset.KEYS for kind in ("global", "computed")),
    SHA,
    UPDATED,
)


@command(
    "git:set",
    access=Access.DEPLOYER,
    examples=(
        "git:set shop deploy-branch production",
        "git:set shop rev-env-var COMMIT",
        "git:set --global deploy-branch main",
    ),
)
@names_property("KEY [VALUE]")
def git_set(context: Context, app: str | None, words: tuple[str, ...], is_global: bool) -> None:
    """Set where the code of an app comes from; an empty value clears.

    Keys: deploy-branch (the branch that deploys), rev-env-var (the variable that holds the commit,
    GIT_REV; empty: none), archive-max-size (bytes), archive-max-files, source-image (can only be
    cleared; git:from-image sets it), keep-git-dir (only false: builds get no .git folder).
    """
    found, words = choose(context, app, words, is_global=is_global)
    key, value = key_and_value(words)
    gitset.set_property(context.platform, found, key, value)
    whose = found.name if found else "all apps"
    click.echo(f"{STEP}{key} of {whose} is {value or 'cleared'}")


@command(
    "git:report",
    access=Access.VIEWER,
    examples=("git:report", "git:report shop --git-sha", "git:report shop --format json"),
)
@click.argument("app", required=False)
@report("git", *KEYS)
def git_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show where the code of an app, or of all apps, comes from."""
    platform = context.platform
    report_apps(context, "git", app, lambda each: _describe(platform, each), style, only)


@command("git:status", access=Access.VIEWER, examples=("git:status shop",))
@click.argument("app")
@listing
def git_status(context: Context, app: str, style: str) -> None:
    """Tell which commit stands in the repository, which is deployed, and who works on the app."""
    platform, found = context.platform, context.app(app)
    branch = gitset.deploy_branch(platform, found)
    tip = platform.repos.tip(found, branch) if branch else None
    release = platform.store.releases.current(found.id)
    holder = platform.locks.holder(found.id)
    values = {
        "branch": branch,
        "commit": tip,
        "subject": platform.repos.subject(found, tip) if tip else None,
        "deployed": release.commit if release else None,
        "busy": str(holder) if holder else None,
    }
    if style == JSON:
        show_json(values)
        return
    heading(f"{app} git status")
    show_values(values.items())


@command("git:unlock", access=Access.DEPLOYER, examples=("git:unlock shop",))
@click.argument("app")
@click.option("--force", is_flag=True, help="As in Dokku; it changes nothing here.", hidden=True)
def git_unlock(context: Context, app: str, force: bool) -> None:  # noqa: ARG001 - see its help
    """Say whether somebody deploys the app. There is no lock that could be left behind.

    The kernel frees the lock of a deploy that has died.
    """
    holder = context.platform.locks.holder(context.app(app).id)
    if holder:
        raise Conflict(f"{app} is locked by a {holder}", hint=f"To stop it: deploys:cancel {app}")
    click.echo(f"{DETAIL}{app} is not locked")


@command(
    "git:auth",
    access=Access.DEPLOYER,
    examples=("git:auth git.example.org anna --app shop < token.txt", "git:auth git.example.org"),
)
@click.argument("host")
@click.argument("login", default="", metavar="[USER]")
@click.argument("password", required=False)
@click.option("--app", help="Only this app uses it; without, all apps do (for admins).")
def git_auth(
    context: Context, host: str, login: str, password: str | None, app: str | None
) -> None:
    """Store a login with which git:sync fetches by https; without a user it is forgotten.

    The password is read from standard input if it is not given.
    """
    found = _owner_of_login(context, app)
    if login and password is None:
        password = sys.stdin.readline(4096).rstrip("\n")
    if login and (not password or ":" in login or "\n" in login + password):
        raise UsageError("A user and a password are wanted", hint="A user's name has no colon.")
    remotes.store_login(context.platform, found, host, (login, password or ""))
    click.echo(f"{STEP}The login for {host} is {'stored' if login else 'forgotten'}")


@command("git:auth-status", access=Access.DEPLOYER, examples=("git:auth-status git.example.org",))
@click.argument("host")
@click.option("--app", help="Ask for the login of this app.")
def git_auth_status(context: Context, host: str, app: str | None) -> int:
    """Say by the exit status whether a login is stored for a host: 0 or 1."""
    found = _owner_of_login(context, app)
    has_login = remotes.has_login(context.platform, found, host)
    click.echo(f"{DETAIL}{host}: {'a login is stored' if has_login else 'no login'}")
    return 0 if has_login else 1


@command("git:allow-host", access=Access.HOST, examples=("git:allow-host git.example.org",))
@click.argument("host")
@click.option("--port", callback=number, default="22", help="Of its ssh server.")
def git_allow_host(context: Context, host: str, port: int) -> None:
    """Trust a host: its ssh keys as they are now, and its address even if it is inside.

    Compare the fingerprints with those that the host's owner publishes: ssh-keyscan HOST.
    """
    kinds = remotes.allow_host(context.platform, host, port)
    click.echo(f"{STEP}{host} may be fetched from by https{' and ssh' if kinds else ''}")
    for kind in kinds:
        click.echo(f"{DETAIL}{kind}")


@command(
    "git:generate-deploy-key", access=Access.DEPLOYER, examples=("git:generate-deploy-key shop",)
)
@click.argument("app")
def git_generate_deploy_key(context: Context, app: str) -> None:
    """Make a key with which git:sync reads the app's repository elsewhere; an old one is gone.

    Each app has its own, so that no app's team can read what another's may.
    """
    click.echo(remotes.make_key(context.platform, context.app(app)))


@command("git:public-key", access=Access.DEPLOYER, examples=("git:public-key shop",))
@click.argument("app")
def git_public_key(context: Context, app: str) -> None:
    """Print the public half of the app's key: add it as a deploy key on the other host."""
    click.echo(remotes.public_key(context.platform, context.app(app)))


def _owner_of_login(context: Context, app: str | None) -> App | None:
    """Return the app whose login is meant; None: that of all apps, which is for admins."""
    if app:
        return context.app(app)
    context.require(Access.ADMIN)
    return None


def _describe(platform: Platform, app: App) -> dict[str, object]:
    release = platform.store.releases.current(app.id)
    branch = gitset.deploy_branch(platform, app)
    values: dict[str, object] = {}
    for key in gitset.KEYS:
        values[key] = gitset.own(platform, app, key)
        values[f"global-{key}"] = gitset.shared(platform, key)
        values[f"computed-{key}"] = gitset.computed(platform, app, key)
    values[SHA] = platform.repos.tip(app, branch) if branch else None
    values[UPDATED] = date(release.created_at) if release else None
    return values
