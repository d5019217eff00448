"""One-off commands around a release: app.json's predeploy and postdeploy, the Procfile's release.

Dokku's meaning: predeploy and release run before the switch, and a failure fails the deploy;
postdeploy runs after it, when there is no way back, and can only complain.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from paas import health
from paas.attempt import Attempt
from paas.errors import PaasError, StartFailed
from paas.fleet import Blueprint, command_of, spec_of
from paas.formation import RELEASE
from paas.reporter import Reporter

ONE_OFF = 99  # the slot: an app's subnet has fewer addresses, so no process is called so
LONGEST = 64 * 1024  # bytes of a line; what follows of it is dropped


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
        with (
            reporter.step(f"{name.capitalize()} command: {command}", name="release"),
            _in_lines(reporter) as output,
        ):
            status = platform.scheduler.run_once(
                spec_of(platform, app, plan, row, command),
                output,
                timeout=platform.settings.release_timeout,
            )
    except StartFailed as error:
        error.details = error.details or reporter.tail()
        raise
    finally:
        platform.store.containers.forget(row)
    if status:
        raise health.command_failed(name, app, status, reporter.tail())


@contextmanager
def _in_lines(reporter: Reporter) -> Iterator[Callable[[bytes], None]]:
    """Give what takes a command's output as it comes, and hands it on in whole lines.

    A write is no line: config values are masked in lines, and would show in two halves.
    """
    partial = b""

    def take(data: bytes) -> None:
        nonlocal partial
        *lines, rest = (partial + data).split(b"\n")
        partial = rest[:LONGEST]
        for line in lines:
            reporter.tool(line.decode(errors="replace"))

    try:
        yield take
    finally:
        take(b"\n" if partial else b"")
