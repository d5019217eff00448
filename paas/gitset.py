"""What `git:set` says: the branch that deploys, the variable with the commit, archives' bounds.

A value of an app goes before that of all apps.
"""

import re
from collections.abc import Callable, Mapping

from paas.archive import Bounds
from paas.errors import InvalidName, UsageError
from paas.model import App, config_key
from paas.platform import Platform

TOPIC = "git"
DEPLOY_BRANCH, REVISION = "deploy-branch", "rev-env-var"
ARCHIVE_SIZE, ARCHIVE_FILES = "archive-max-size", "archive-max-files"
SOURCE_IMAGE, KEEP = "source-image", "keep-git-dir"
NONE = "-"  # stored for a variable that is switched off; no variable has such a name
MAX_SIZE, MAX_FILES = 500 * 1024 * 1024, 50_000  # of any tree that is deployed
DEFAULTS: Mapping[str, str] = {
    REVISION: "GIT_REV",
    KEEP: "false",
    ARCHIVE_SIZE: str(MAX_SIZE),
    ARCHIVE_FILES: "10000",
}
BRANCH = re.compile(r"(?!-)[A-Za-z0-9._/@+-]{1,200}", re.ASCII)


def _branch(value: str) -> str:
    parts = value.split("/")
    ends = any(part.startswith(".") or part.endswith((".", ".lock")) for part in parts)
    if not BRANCH.fullmatch(value) or "" in parts or ends or ".." in value or "@{" in value:
        raise InvalidName(f"{value!r} is not a branch", hint="Give a name such as main")
    return value


def _revision(value: str) -> str:
    return value if value == NONE else config_key(value)


def _number(most: int) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if not re.fullmatch(r"[1-9][0-9]{0,11}", value, re.ASCII) or int(value) > most:
            raise InvalidName(f"{value!r} is not possible", hint=f"Give 1 to {most}.")
        return value

    return parse


def _without_folder(value: str) -> str:
    if value != "false":
        raise InvalidName(
            "Builds never get a .git folder: it would hold the whole history",
            hint="The commit is in the variable GIT_REV, see: git:set APP rev-env-var NAME",
        )
    return value


def _only_clearing(value: str) -> str:
    raise InvalidName(f"{SOURCE_IMAGE} cannot be {value!r}", hint="Use: git:from-image APP IMAGE")


KEYS: Mapping[str, Callable[[str], str]] = {
    DEPLOY_BRANCH: _branch,
    KEEP: _without_folder,
    REVISION: _revision,
    SOURCE_IMAGE: _only_clearing,
    ARCHIVE_SIZE: _number(MAX_SIZE),
    ARCHIVE_FILES: _number(MAX_FILES),
}


def set_property(platform: Platform, app: App | None, key: str, value: str) -> None:
    """Store a property of an app, or of all apps; "" clears it. Raises UsageError, InvalidName.

    Clearing rev-env-var switches the variable off, as in Dokku.
    """
    if key not in KEYS:
        raise UsageError(f"{key!r} is not a git property", hint=f"There are: {', '.join(KEYS)}")
    if key == REVISION and not value:
        value = NONE
    parsed = KEYS[key](value) if value else None
    if app and key == DEPLOY_BRANCH:
        platform.store.apps.set_deploy_branch(app.id, parsed)
    else:
        platform.store.properties.set(app.id if app else None, TOPIC, key, parsed)


def own(platform: Platform, app: App, key: str) -> str | None:
    """Return what is set for the app itself."""
    if key == DEPLOY_BRANCH:
        return app.deploy_branch
    return platform.store.properties.get(app.id, TOPIC).get(key)


def shared(platform: Platform, key: str) -> str | None:
    """Return what is set for all apps."""
    return platform.store.properties.get(None, TOPIC).get(key)


def computed(platform: Platform, app: App, key: str) -> str | None:
    """Return what holds for the app in the end."""
    return own(platform, app, key) or shared(platform, key) or DEFAULTS.get(key)


def deploy_branch(platform: Platform, app: App) -> str | None:
    """Return the branch that deploys; None: the first of main and master that is pushed."""
    return computed(platform, app, DEPLOY_BRANCH)


def revision_variable(platform: Platform, app: App, commit: str | None) -> dict[str, str]:
    """Return the variable that tells processes their commit; none if it is switched off."""
    name = computed(platform, app, REVISION)
    return {name: commit} if commit and name and name != NONE else {}


def archive_bounds(platform: Platform, app: App) -> Bounds:
    """Return how much an archive for the app may hold."""
    size, files = (computed(platform, app, key) for key in (ARCHIVE_SIZE, ARCHIVE_FILES))
    return Bounds(int(size or MAX_SIZE), int(files or MAX_FILES))
