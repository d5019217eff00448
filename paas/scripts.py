"""One-off commands around a release: app.json's predeploy and postdeploy, the Procfile's release.

Dokku's meaning: predeploy and release run before the switch, and a failure fails the deploy; what
predeploy writes becomes part of the image. postdeploy runs after the switch, when there is no way
back, and can only complain.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol

from paas import health
from paas.attempt import Attempt
from paas.errors import PaasError, StartFailed
from paas.fleet import Blueprint, blueprint, command_of, spec_of
from paas.formation import RELEASE
from paas.model import Candidate, Image
from paas.reporter import Reporter
from paas.schedulers.base import Exit, ProcessSpec

ONE_OFF = 99  # the slot: an app's subnet has fewer addresses, so no process is called so
Output = Callable[[bytes], None]
LONGEST = 64 * 1024  # bytes of a line; what follows of it is dropped


class Run(Protocol):
    """How a command is run: Scheduler.run_once, or bake."""

    def __call__(self, spec: ProcessSpec, output: Output, timeout: float) -> Exit: ...


def bake(attempt: Attempt, candidate: Candidate) -> Candidate:
    """Run predeploy; return the candidate with an image that has what it wrote.

    Once for each build: what comes from a release has it already. Raises StartFailed when it fails
    or hangs, BuildFailed when it wrote too much.
    """
    command = candidate.manifest.predeploy
    if not command:
        return candidate
    platform, images = attempt.platform, list[Image]()
    made = lambda image: images.append(platform.builder.adopt(attempt.app, image))  # noqa: E731 - a closure that fits into the line
    run = partial(platform.scheduler.bake, made=made)
    _run(attempt, blueprint(candidate), "predeploy", command, run)
    return replace(candidate, image=images[0])


def run_before(attempt: Attempt, plan: Blueprint) -> None:
    """Run the release command. Raises StartFailed when it fails or hangs."""
    command = command_of(plan, RELEASE)
    if command:
        _run(attempt, plan, RELEASE, command, attempt.platform.scheduler.run_once)


def run_after(attempt: Attempt, plan: Blueprint) -> None:
    """Run postdeploy. The release is live: a failure is shown and changes nothing."""
    command = plan.manifest.postdeploy
    if not command:
        return
    try:
        _run(attempt, plan, "postdeploy", command, attempt.platform.scheduler.run_once)
    except PaasError as error:
        attempt.reporter.failure(error)


def _run(attempt: Attempt, plan: Blueprint, name: str, command: str, run: Run) -> None:
    """Run one command in a container of its own, with the release's image and config."""
    platform, app, reporter = attempt.platform, attempt.app, attempt.reporter
    platform.scheduler.create_network(app)
    row = platform.store.containers.reserve(app, attempt.deploy.id, name, ONE_OFF, plan.port)
    try:
        with (
            reporter.step(f"{name.capitalize()} command: {command}", name="release"),
            _in_lines(reporter) as output,
        ):
            spec = spec_of(platform, app, plan, row, command)
            ended = run(spec, output, timeout=platform.settings.release_timeout)
    except StartFailed as error:
        error.details = error.details or reporter.tail()
        raise
    finally:
        platform.store.containers.forget(row)
    if ended.status:
        raise health.command_failed(name, app, ended, reporter.tail())


@contextmanager
def _in_lines(reporter: Reporter) -> Iterator[Output]:
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
