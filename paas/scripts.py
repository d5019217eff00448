"""One-off commands around a release: app.json's predeploy and postdeploy, the Procfile's release.

Dokku's meaning: predeploy and release run before the switch, and a failure fails the deploy;
postdeploy runs after it, when there is no way back, and can only complain.
"""

from paas import health
from paas.attempt import Attempt
from paas.errors import PaasError
from paas.fleet import Blueprint, command_of, spec_of
from paas.formation import RELEASE

ONE_OFF = 99  # the slot: an app's subnet has fewer addresses, so no process is called so


def run_before(attempt: Attempt, plan: Blueprint) -> None:
    """Run predeploy, then the release command. Raises StartFailed when one fails or hangs."""
    _run(attempt, plan, "predeploy", plan.manifest.predeploy)
    _run(attempt, plan, RELEASE, command_of(plan, RELEASE) or "")


def run_after(attempt: Attempt, plan: Blueprint) -> None:
    """Run postdeploy. The release is live: a failure is shown and changes nothing."""
    try:
        _run(attempt, plan, "postdeploy", plan.manifest.postdeploy)
    except PaasError as error:
        attempt.reporter.failure(error)


def _run(attempt: Attempt, plan: Blueprint, name: str, command: str) -> None:
    """Run one command in a container of its own, with the release's image and config."""
    if not command:
        return
    platform, app, reporter = attempt.platform, attempt.app, attempt.reporter
    platform.scheduler.create_network(app)
    row = platform.store.containers.reserve(app, attempt.deploy.id, name, ONE_OFF, plan.port)
    try:
        with reporter.step(f"{name.capitalize()} command: {command}", name="release"):
            status = platform.scheduler.run_once(
                spec_of(platform, app, plan, row, command),
                lambda data: reporter.tool(data.decode(errors="replace")),
                timeout=platform.settings.release_timeout,
            )
    finally:
        platform.store.containers.forget(row)
    if status:
        raise health.command_failed(name, app, status, reporter.tail())
