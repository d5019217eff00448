"""One deploy at work: what every step of the pipeline needs, in one value."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from paas.model import Actor, App, Deploy, DeployState
from paas.platform import Platform
from paas.reporter import Reporter, Sink


@dataclass(frozen=True)
class Attempt:
    """A deploy of an app, with the platform it works on and the reporter it speaks through."""

    platform: Platform
    app: App
    deploy: Deploy
    actor: Actor
    reporter: Reporter

    def advance(self, state: DeployState) -> None:
        """Commit a transition, before its side effect."""
        self.platform.store.deploys.advance(self.deploy.id, state)

    def run_hooks(self, stage: str, **more: str) -> None:
        """Run the host owner's hooks of a stage. Raises HookRefused."""
        variables = {"PAAS_DEPLOY": str(self.deploy.id), "PAAS_COMMIT": self.deploy.commit or ""}
        self.platform.hooks.run(stage, self.app.name, {**variables, **more}, self.reporter)


@contextmanager
def open_attempt(
    platform: Platform, deploy: Deploy, actor: Actor, sink: Sink, *, verbose: bool = False
) -> Iterator[Attempt]:
    """Open the deploy's log and a reporter that writes to it and to `sink`.

    The log is locked as long as more may come: the last words follow the deploy's end.
    """
    app = platform.store.apps.by_id(deploy.app_id)
    folder = platform.settings.logs / "deploys"
    folder.mkdir(parents=True, exist_ok=True)
    # Not buffered: what a full disk did not take must not come up again when the file is closed.
    with (folder / f"{deploy.id}.log").open("ab", buffering=0) as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        yield Attempt(platform, app, deploy, actor, Reporter(sink, log, verbose=verbose))


def is_at_work(log: IO[str]) -> bool:
    """Whether more may come in the log of a deploy. A process that has died holds no lock."""
    try:
        fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(log, fcntl.LOCK_UN)
    return False
