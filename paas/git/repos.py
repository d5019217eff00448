"""git/base.py's Repos, on dulwich: what the rest of paas sees of git."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from dulwich.errors import GitProtocolError

from paas.disk import HALF, require_space
from paas.errors import NotFound, PaasError, SourceRefused
from paas.git.base import Note, Push, PushHandler, Remote
from paas.git.history import commits_between
from paas.git.index import PATH
from paas.git.inspect import inspect_commit
from paas.git.intake import Intake
from paas.git.limits import Limits
from paas.git.names import BRANCHES
from paas.git.objects import parse_commit, read_object
from paas.git.offer import Desk, fetch_commit, make_commit
from paas.git.packs import PackTaker
from paas.git.quarantine import Quarantine, sweep
from paas.git.receive import Answer, Conversation
from paas.git.snapshot import GitSource
from paas.git.store import (
    DEPLOYS,
    Bare,
    Store,
    asked_again,
    ensure_repository,
    exclusive,
    move_branch,
    read_ref,
    read_shallow,
    remove_ref,
    write_ref,
)
from paas.git.tidy import collect, logged, tidy
from paas.git.upload import ServedLine, answer_error, serve
from paas.git.waste import collect_waste
from paas.git.wire import Line, Outlet, Progress
from paas.git.words import one_line, refusals, subject_line
from paas.model import App
from paas.settings import Settings
from paas.source import NewFile, Source


class DulwichRepos:
    """The bare repositories below settings.repos.

    `git` is the path of a git that indexes large packs faster; None does it all in Python.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Limits | None = None,
        git: str | None = shutil.which("git", path=PATH),
    ) -> None:
        self._settings = settings
        self._limits = limits or Limits(
            pack=settings.max_pack,
            inflated=settings.max_unpacked,
            repository=settings.max_repository,
        )
        self._git = git
        self._taker = PackTaker(self._limits, git, partial(require_space, settings, HALF))
        self._open: dict[int, Quarantine] = {}  # of the pushes that this process receives

    def _path(self, app: App) -> Path:
        return self._settings.repos / f"{app.id}.git"

    def receive(self, app: App, stdin: BinaryIO, stdout: BinaryIO, handler: PushHandler) -> int:
        """Speak git-receive-pack to its end; both streams must have a descriptor.

        Return 0 if every ref was taken, else 1.
        """
        outlet = Outlet(stdout)
        line = Line(stdin, outlet, self._limits)
        path = self._path(app)
        try:
            with refusals():
                require_space(self._settings)
                ensure_repository(path)
        except PaasError as error:
            answer_error(line, f"{error.message}. {error.hint}")
            return 1
        with closing(Bare(path)) as repository:
            conversation = Conversation(repository, line, self._limits, asked_again(path))
            try:
                return self._converse(app, conversation, Progress(outlet), handler)
            except SourceRefused as error:
                conversation.refuse(f"{error.message}. {error.hint}")
            except (GitProtocolError, AssertionError, ValueError) as error:
                conversation.refuse(one_line(str(error)) or "the push was not understood")
        return 1

    def _converse(
        self, app: App, conversation: Conversation, progress: Progress, handler: PushHandler
    ) -> int:
        conversation.advertise()
        commands, shallow = conversation.read_commands()
        if not commands:
            return 0
        options = conversation.read_options()
        progress.enabled = conversation.has_sideband
        answer = Answer(commands, conversation.report)
        intake = Intake(self._path(app), handler, progress, self._taker)
        try:
            intake.run(answer, self._quarantine(app, shallow), conversation.receive, options)
        finally:
            answer.send()
        return 0 if len(answer.good) == len(commands) else 1

    @contextmanager
    def _quarantine(self, app: App, shallow: Iterable[bytes] = ()) -> Iterator[Quarantine]:
        with closing(Quarantine(self._path(app), shallow)) as quarantine:
            self._open[app.id] = quarantine
            try:
                yield quarantine
            finally:
                del self._open[app.id]

    def upload(self, app: App, stdin: BinaryIO, stdout: BinaryIO) -> int:
        """Speak git-upload-pack to its end; an app without a push yet gives an empty clone."""
        ensure_repository(self._path(app))
        return serve(self._path(app), ServedLine(stdin, Outlet(stdout)))

    def keep(self, app: App, deploy_id: int, commit: str) -> None:
        path = self._path(app)
        if quarantine := self._open.get(app.id):
            quarantine.admit()
        with closing(Store(path / "objects")) as store:
            if not store.has(commit):
                raise NotFound(f"The commit {commit[:7]} is not in the repository of {app.name}")
        with exclusive(path):
            write_ref(path, _deploy_ref(deploy_id), commit)

    def drop(self, app: App, deploy_id: int) -> None:
        if self._path(app).exists():
            with exclusive(self._path(app)):
                remove_ref(self._path(app), _deploy_ref(deploy_id))

    def set_branch(self, app: App, branch: str, commit: str) -> None:
        move_branch(self._path(app), branch, commit)

    @contextmanager
    def _desk(self, app: App) -> Iterator[Desk]:
        """Open a quarantine for a commit that paas itself brings."""
        require_space(self._settings)
        ensure_repository(self._path(app))
        with self._quarantine(app) as quarantine:
            yield Desk(quarantine, self._taker)

    @contextmanager
    def offer(
        self, app: App, branch: str, files: Iterable[NewFile], note: Note
    ) -> Iterator[Push | None]:
        with self._desk(app) as desk:
            yield make_commit(desk, branch, files, note)

    @contextmanager
    def fetch(
        self, app: App, remote: Remote, ref: str | None, branch: str | None
    ) -> Iterator[Push]:
        with self._desk(app) as desk:
            yield fetch_commit(desk, remote, ref, branch, self._settings)

    def take(self, app: App, push: Push) -> None:
        self._open[app.id].admit()
        with exclusive(self._path(app)):
            write_ref(self._path(app), BRANCHES + push.branch.encode(), push.new)

    def collect(self, app: App) -> tuple[int, int]:
        return collect(self._path(app), self._git)

    def tip(self, app: App, branch: str) -> str | None:
        return read_ref(self._path(app), BRANCHES + branch.encode())

    def source(self, app: App, commit: str) -> Source:
        path = self._path(app)
        store = Store(path / "objects", read_shallow(path))
        try:
            inspected = inspect_commit(store, bytes.fromhex(commit), self._limits)
        except SourceRefused as error:
            known = store.has(commit)
            store.close()
            if known:
                raise
            raise NotFound(
                f"The commit {commit[:7]} is not in the repository of {app.name}",
                hint="Push it again.",
            ) from error
        return GitSource(store, commit, inspected)

    def subject(self, app: App, commit: str) -> str:
        with closing(Store(self._path(app) / "objects")) as store:
            identity = bytes.fromhex(commit)
            try:
                return subject_line(parse_commit(identity, *read_object(store, identity)).subject)
            except SourceRefused:
                return ""

    def commits(
        self, app: App, old: str | None, new: str, limit: int = 50
    ) -> tuple[tuple[str, str], ...]:
        path = self._path(app)
        with closing(Store(path / "objects", read_shallow(path))) as store:
            found = commits_between(store, old, new, limit)
        return tuple((commit, subject_line(text.strip().split("\n")[0])) for commit, text in found)

    @contextmanager
    def frozen(self, app: App) -> Iterator[Path]:
        path = self._path(app)
        with ExitStack() as stack:
            if path.exists():
                stack.enter_context(exclusive(path))
            yield path

    def restore(self, app: App, folder: Path) -> None:
        """Objects, refs and the shallow file come from there; the configuration is our own."""
        if not folder.is_dir():
            return
        path = self._path(app)
        shutil.rmtree(path, ignore_errors=True)
        ensure_repository(path)
        for name in ("objects", "refs"):
            if (folder / name).is_dir():
                shutil.copytree(folder / name, path / name, dirs_exist_ok=True)
        for name in ("HEAD", "packed-refs", "shallow"):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, path / name)

    def destroy(self, app: App) -> None:
        shutil.rmtree(self._path(app), ignore_errors=True)

    def sweep(self) -> None:
        for path in self._settings.repos.glob("*.git"):
            with logged(path):
                sweep(path)
                tidy(path, self._git)

    def collect_waste(self) -> None:
        for path in self._settings.repos.glob("*.git"):
            with logged(path):
                collect_waste(path, self._git)


def _deploy_ref(deploy_id: int) -> bytes:
    return DEPLOYS + str(deploy_id).encode()
