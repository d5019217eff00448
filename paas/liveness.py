"""Liveness: web processes are asked again and again, and one that stops answering is restarted.

Only for apps whose app.json says so. Asking and restarting are jobs in forked children, so that a
process that hangs holds up neither the background nor the restart of another.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from paas import checks, fleet, vhosts
from paas.crew import Job, run_here
from paas.errors import Conflict, NotFound
from paas.look import Look, describe, is_good, look_at
from paas.manifest import Check, Manifest
from paas.model import App, Container, ContainerRole, Desired
from paas.platform import Platform
from paas.routing import WEB

ASK, RESTART = "liveness", "liveness restart"  # lanes
THREADS = 16
STOP = 5.0  # seconds for a process that does not answer to end by itself
LIMIT = 120.0  # seconds for one restart
TOPIC = "liveness"  # of the properties: process -> deploy and how often it was restarted
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a restarted process is asked again
STEADY = 600.0  # seconds without a restart after which the pauses begin anew

log = logging.getLogger("paas")


@dataclass(frozen=True)
class Question:
    """One check of one process."""

    app: App
    row: Container
    host: str
    check: Check
    number: int  # of the check, among those of the process

    @property
    def key(self) -> tuple[str, int]:
        """What names it while the container lives."""
        return self.row.id, self.number


@dataclass
class Watch:
    """When a question is asked next, and how many bad answers in a row it has had."""

    due: float
    bad: int = 0


class Liveness:
    """Asks the processes of one instance; it remembers only what may be forgotten."""

    def __init__(
        self,
        platform: Platform,
        clock: Callable[[], float] = time.monotonic,
        submit: Callable[[Job], None] = lambda job: run_here([job]),
    ) -> None:
        self._platform = platform
        self._clock = clock
        self._submit = submit
        self._manifests: dict[tuple[int, int], Manifest] = {}  # (app, version): releases are fixed
        self._watches: dict[tuple[str, int], Watch] = {}
        self._restarts: dict[tuple[int, str], tuple[float, float]] = {}  # process -> (pause, when)
        self._answers_until = 0.0  # what was asked is answered, or lost, by then

    def run(self) -> None:
        """Ask what is due, unless the last round is still at work."""
        if self._clock() < self._answers_until:
            return
        questions = self._questions()
        now = self._clock()
        fresh = {q.key: Watch(now + max(q.check.delay, self._pause(q))) for q in questions}
        self._watches = {key: self._watches.get(key, fresh[key]) for key in fresh}
        due = [q for q in questions if self._watches[q.key].due <= now]
        if due:
            self._ask(due)

    def _ask(self, questions: Sequence[Question]) -> None:
        """Ask in a child, which writes what it saw into a file in memory."""
        limit = max(question.check.timeout for question in questions) + 10
        sheet = os.memfd_create("liveness")
        self._answers_until = self._clock() + limit + 10

        def take(_status: int) -> None:
            self._answers_until = 0.0
            written = os.pread(sheet, os.fstat(sheet).st_size, 0)
            os.close(sheet)
            looks = [Look(*look) for look in json.loads(written or "[]")]
            for question, look in zip(questions, looks, strict=False):  # a killed child wrote none
                self._judge(question, look)

        self._submit(Job(ASK, ASK, limit, lambda: write_answers(questions, sheet), take))

    def _questions(self) -> list[Question]:
        store, found = self._platform.store, []
        for app, manifest in self._watched():
            wanted = checks.liveness_checks(manifest, WEB)
            rows = store.containers.of(app.id, ContainerRole.CURRENT) if wanted else ()
            host = vhosts.host_of(self._platform, app)
            found += [
                Question(app, row, host, check, number)
                for row in rows
                if row.process_type == WEB and row.id
                for number, check in enumerate(wanted)
                if check.path
            ]
        return found

    def _watched(self) -> list[tuple[App, Manifest]]:
        """Return the apps that want to be asked; a manifest is read once per release."""
        manifests, apps = {}, []
        for app in self._platform.store.apps.list():
            if app.version is not None and app.desired is Desired.RUNNING:
                key = app.id, app.version
                known = self._manifests.get(key)
                release = None if known else self._platform.store.releases.current(app.id)
                manifests[key] = known or (release.manifest if release else Manifest())
                if manifests[key].checks:
                    apps.append((app, manifests[key]))
        self._manifests = manifests
        return apps

    def _judge(self, question: Question, look: Look) -> None:
        """Count a bad answer; restart the process when there were too many in a row."""
        watch = self._watches.get(question.key)
        if watch is None:
            return
        watch.due = self._clock() + question.check.wait
        watch.bad = 0 if is_good(look, question.check) else watch.bad + 1
        if watch.bad < question.check.attempts:
            return
        app, row = question.app, question.row
        cause = describe(look, question.check.path or "/")
        log.warning("%s: %s %s; restarting it", app.name, row.process, cause)
        self._note_restart(question)
        watch.bad = 0
        job = f"restart {app.id} {row.process}"
        self._submit(Job(job, RESTART, LIMIT, lambda: restart(self._platform, app, row, cause)))

    def _note_restart(self, question: Question) -> None:
        """Double the pause until the process is asked again, up to a minute."""
        key, now = (question.app.id, question.row.process), self._clock()
        pause, last = self._restarts.get(key, (FIRST_PAUSE / 2, now))
        pause = FIRST_PAUSE if now - last > STEADY else min(pause * 2, LONGEST_PAUSE)
        self._restarts[key] = (pause, now)

    def _pause(self, question: Question) -> float:
        """Return how long a new container is left alone: it needs time to start."""
        key = question.app.id, question.row.process
        return self._restarts.get(key, (FIRST_PAUSE, 0.0))[0]


def write_answers(questions: Sequence[Question], sheet: int) -> None:
    """Ask all at once, and write the looks into the file in the order of the questions."""

    def ask(question: Question) -> tuple[int, str]:
        row = question.row
        look = look_at(row.address, row.port, question.host, question.check)
        return look.status, look.problem

    with ThreadPoolExecutor(min(THREADS, len(questions))) as pool:
        os.pwrite(sheet, json.dumps(list(pool.map(ask, questions))).encode(), 0)


def restart(platform: Platform, app: App, row: Container, cause: str) -> None:
    """Start the process anew in its place, unless it is not current any more.

    Somebody who works on the app goes first: it is asked again. Raises StartFailed, Unavailable.
    """
    try:
        with platform.locks.app(app.id, "paas", "liveness", patience=0):
            release = platform.store.releases.current(app.id)
            now = platform.store.containers.of(app.id, ContainerRole.CURRENT)
            if release and row.id in {each.id for each in now}:
                platform.store.journal.add(app.id, f"{row.process} {cause}: restarting it")
                _count_restart(platform, row)
                platform.scheduler.stop([row.id], STOP)
                fleet.revive(platform, app, row, release)
    except (Conflict, NotFound):
        return


def restarts_of(platform: Platform, row: Container) -> int:
    """Return how often the process was restarted for its answers since its deploy started it."""
    noted = platform.store.properties.get(row.app_id, TOPIC).get(row.process, "")
    deploy, _, count = noted.partition(" ")
    return int(count) if deploy == str(row.deploy_id) else 0


def _count_restart(platform: Platform, row: Container) -> None:
    count = restarts_of(platform, row) + 1
    platform.store.properties.set(row.app_id, TOPIC, row.process, f"{row.deploy_id} {count}")
