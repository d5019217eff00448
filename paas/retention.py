"""How many releases are kept, and that nothing of the others stays: image, source, row.

Images that no release has (of deploys that failed) go in the same way.
"""

import logging
import re
from collections.abc import Callable, Sequence

from paas.crew import Job, run_here
from paas.errors import Conflict, InvalidName, NotFound, PaasError, Unavailable
from paas.model import App, ContainerRole, Release
from paas.platform import Platform

TOPIC, BUILDS = "releases", "builds"
RETENTION = 10
MOST = 1000
DEPLOYS = 50  # that made no release that is kept: failures, scales, restarts
ROLLBACK = re.compile(r"rollback to v([0-9]+)", re.ASCII)
PRUNE, LIMIT = "prune", 300.0  # lane, and seconds for one app
AGAIN = 1  # the status of a job that is to be done again
log = logging.getLogger(__name__)


def retention_of(platform: Platform, app: App) -> int:
    """Return how many releases of the app are kept, the current one included."""
    return int(platform.store.properties.get(app.id, TOPIC).get("retention") or RETENTION)


def parse_retention(value: str, what: str = "releases") -> int:
    """Return the number that was typed. Raises InvalidName."""
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 6 else 0  # noqa: PLR2004 - fits an int
    if not 1 <= number <= MOST:
        raise InvalidName(f"{value!r} is no number of {what}", hint=f"Give 1 to {MOST}.")
    return number


def restorable(platform: Platform, app: App) -> tuple[Release, ...]:
    """Return the releases whose images are there, newest first, without the current one."""
    images = platform.builder.images(app)
    listed = platform.store.releases.list(app.id)
    return tuple(r for r in listed if r.version != app.version and r.image in images)


def find_target(platform: Platform, app: App, version: int | None) -> Release:
    """Return the release to go back to. Raises NotFound.

    Default: the one before what is current now. After a rollback to v2 that is v1, so that to go
    back twice goes further back, and not to what was just left.
    """
    possible = restorable(platform, app)
    listed = platform.store.releases.list(app.id)
    origin = _origin(listed, app.version or 0)
    earlier = (r for r in listed if r.version < origin)
    wanted = version or next((release.version for release in earlier), None)
    if wanted is not None and wanted == app.version:
        raise Conflict(f"v{wanted} is the current release of {app.name}")
    for release in possible:
        if release.version == wanted:
            return release
    names = ", ".join(f"v{release.version}" for release in possible)
    raise NotFound(
        _why_not(app, wanted, origin),
        hint=f"Possible: {names}" if names else f"Build it anew: ps:rebuild {app.name}, or push",
    )


def _why_not(app: App, wanted: int | None, origin: int) -> str:
    """Say why nothing can come back, or not this."""
    now = app.version or 0
    if wanted and wanted > now:
        return f"There is no release v{wanted} of {app.name} yet"
    if wanted:
        return f"v{wanted} of {app.name} cannot come back: its image is not kept any more"
    if origin < now:
        return f"v{now} of {app.name} is v{origin} again, and nothing is kept from before that"
    return f"{app.name} has no release to go back to"


def rollback_reason(version: int) -> str:
    """Return the reason of a release that brings this version back."""
    return f"rollback to v{version}"


def _origin(releases: Sequence[Release], version: int) -> int:
    """Return the version that this one is a copy of, through all rollbacks; its own otherwise."""
    reasons = {release.version: release.reason for release in releases}
    while match := ROLLBACK.fullmatch(reasons.get(version, "")):
        version = int(match[1])
    return version


def prune(platform: Platform, app: App) -> None:
    """Drop releases beyond the retention. The app's lock must be held, and no deploy unfinished.

    The row goes last, so that an interrupted pass is done again. Raises Unavailable.
    """
    releases = platform.store.releases.list(app.id)
    kept = releases[: retention_of(platform, app)]
    images = {release.image for release in kept}
    platform.builder.remove_images(app, platform.builder.images(app) - images)
    for release in releases[len(kept) :]:
        platform.repos.drop(app, release.deploy_id)
        platform.store.releases.drop(release)
    forget_deploys(platform, app)


def deploys_of(platform: Platform, app: App) -> int:
    """Return how many deploys without a kept release are remembered: the app's, all apps', ours."""
    properties = platform.store.properties
    own, every = (properties.get(which, BUILDS).get("retention") for which in (app.id, None))
    return int(own or every or DEPLOYS)


def forget_deploys(platform: Platform, app: App) -> None:
    """Forget deploys beyond that, under the app's lock; remove_deploy_logs() takes their logs."""
    platform.store.deploys.forget(app.id, deploys_of(platform, app))


def remove_deploy_logs(platform: Platform) -> None:
    """Remove the logs of deploys that are forgotten, and of apps that are gone."""
    files = list((platform.settings.logs / "deploys").glob("*.log"))
    known = platform.store.deploys.ids()  # read last: a deploy's row comes before its log
    for file in files:
        if file.stem.isascii() and file.stem.isdigit() and int(file.stem) not in known:
            file.unlink(missing_ok=True)


def remove_orphans(platform: Platform) -> None:
    """Remove images of apps that are gone and of builds that were interrupted.

    Not while a deploy is unfinished: its image may have no name yet. Raises Unavailable.
    """
    if not platform.store.deploys.unfinished():
        gone = platform.builder.remove_orphans([app.id for app in platform.store.apps.list()])
        if gone:
            log.info("removed %d images that nobody wants", gone)


class Pruner:
    """Prunes apps after their deploys, for the background. It remembers what it has looked at."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}  # app id -> its newest deploy when it was pruned

    def run(
        self,
        platform: Platform,
        submit: Callable[[Job], None] = lambda job: run_here([job]),
    ) -> None:
        """Prune the apps that have changed, once their old processes are gone.

        `submit` gets a job per app (default: done at once, in this process).
        """
        busy = {row.app_id for row in platform.store.containers.list() if _holds_image(row.role)}
        for app_id, newest in platform.store.deploys.newest_finished().items():
            if self._seen.get(app_id) != newest and app_id not in busy:
                submit(self._job(platform, app_id, newest))

    def _job(self, platform: Platform, app_id: int, newest: int) -> Job:
        def remember(status: int) -> None:
            if status == 0:
                self._seen[app_id] = newest

        run = lambda: self._prune(platform, app_id)  # noqa: E731 - a closure that fits into the line
        return Job(f"prune {app_id}", PRUNE, LIMIT, run, remember)

    def _prune(self, platform: Platform, app_id: int) -> int:
        """Prune the app; return 0, or AGAIN when somebody else is busy with it for a moment."""
        try:
            app = platform.store.apps.by_id(app_id)
            with platform.locks.app(app.id, "paas", "prune", patience=0):
                if not any(d.app_id == app.id for d in platform.store.deploys.unfinished()):
                    prune(platform, app)
        except Unavailable:
            raise
        except NotFound:
            return 0
        except Conflict:  # a deploy makes the app new again
            work = platform.store.deploys.unfinished()
            return 0 if any(deploy.app_id == app_id for deploy in work) else AGAIN
        except PaasError as error:
            log.warning("images of app %d: %s", app_id, error.message)
        return 0


def _holds_image(role: ContainerRole) -> bool:
    return role is not ContainerRole.CURRENT
