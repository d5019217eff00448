"""Repositories without git: a push is the text of a Procfile, which comes with a Dockerfile.

What stands behind a line `--- app.json` is the push's app.json.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from paas.errors import NotFound, PaasError
from paas.git.base import Note, NoWait, Push, PushHandler, PushOptions, Remote
from paas.model import App
from paas.source import NewFile, Source
from tests.fakes.source import TreeSource

APP_JSON = "\n--- app.json\n"


class Commit(TreeSource):
    """A tree that knows its commit."""

    def __init__(self, text: str) -> None:
        procfile, _, app_json = text.partition(APP_JSON)
        files = {"Dockerfile": "FROM debian:trixie\n", "Procfile": procfile}
        super().__init__(files | ({"app.json": app_json} if app_json else {}))
        self.text = text
        self.id = hashlib.sha1(text.encode()).hexdigest()

    @property
    def commit(self) -> str | None:
        return self.id


class Tree(TreeSource):
    """A commit of any files."""

    def __init__(self, files: Mapping[str, bytes], parent: str | None) -> None:
        super().__init__(files)
        self.text = json.dumps({path: content.decode() for path, content in files.items()})
        self.id = hashlib.sha1(f"{parent}{self.text}".encode()).hexdigest()

    @property
    def commit(self) -> str | None:
        return self.id


class Lines:
    """A sideband that keeps what was said."""

    def __init__(self) -> None:
        self.said = ""

    def write(self, text: str) -> None:
        self.said += text

    def keepalive(self) -> None:
        """Nobody waits."""


class FakeRepos:
    """Implements paas.git.base.Repos. `receive` reads a Procfile instead of a pack."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, int], str] = {}  # (app id, deploy id) -> commit
        self.branches: dict[tuple[int, str], str] = {}
        self.commits_by_id: dict[str, Commit | Tree] = {}
        self.remote: Mapping[str, bytes] | PaasError = {}  # what fetch() finds, or meets
        self.fetched: list[tuple[Remote, str | None]] = []
        self.notes: list[Note] = []
        self.sideband = Lines()
        self.options = PushOptions()  # of the pushes to come
        self.waste_collected = 0  # how often it was

    def receive(self, app: App, stdin: BinaryIO, stdout: BinaryIO, handler: PushHandler) -> int:
        commit = Commit(stdin.read().decode())
        self.commits_by_id[commit.id] = commit
        handler.arrived()
        branch = handler.deploy_branch() or "main"
        early = NoWait(branch, commit.id, lambda: _answer(stdout, "ok\n"))
        try:
            with handler.lock(self.sideband, early if self.options.no_wait else None):
                old = self.branches.get((app.id, branch))
                push = Push(branch, old, commit.id, "a change", 1, commit, self.options)
                handler.deploy(push, self.sideband)
                self.branches[app.id, branch] = commit.id
        except PaasError as error:
            _answer(stdout, f"ng {error.message}\n")
            return 1
        _answer(stdout, "ok\n")
        return 0

    def upload(self, app: App, stdin: BinaryIO, stdout: BinaryIO) -> int:
        commits = [commit for (owner, _), commit in self.branches.items() if owner == app.id]
        stdout.write(b"".join(self.commits_by_id[commit].open("Procfile") for commit in commits))
        return 0

    def keep(self, app: App, deploy_id: int, commit: str) -> None:
        self.kept[app.id, deploy_id] = commit

    def drop(self, app: App, deploy_id: int) -> None:
        self.kept.pop((app.id, deploy_id), None)

    def set_branch(self, app: App, branch: str, commit: str) -> None:
        self.branches[app.id, branch] = commit

    @contextmanager
    def offer(
        self, app: App, branch: str, files: Iterable[NewFile], note: Note
    ) -> Iterator[Push | None]:
        self.notes.append(note)
        old = self.branches.get((app.id, branch))
        tree = {file.path: file.content for file in files}
        unchanged = old and self.commits_by_id[old].text == Tree(tree, None).text
        yield None if unchanged else self._push(branch, old, Tree(tree, old))

    @contextmanager
    def fetch(
        self, app: App, remote: Remote, ref: str | None, branch: str | None
    ) -> Iterator[Push]:
        self.fetched.append((remote, ref))
        if isinstance(self.remote, PaasError):
            raise self.remote
        name = branch or ref or "main"
        yield self._push(name, self.branches.get((app.id, name)), Tree(self.remote, None))

    def _push(self, branch: str, old: str | None, tree: Tree) -> Push:
        self.commits_by_id[tree.id] = tree
        return Push(branch, old, tree.id, "a change", 1, tree)

    def take(self, app: App, push: Push) -> None:
        self.branches[app.id, push.branch] = push.new

    def collect(self, app: App) -> tuple[int, int]:
        used = {*self.branches.values(), *self.kept.values()}
        before = len(self.commits_by_id)
        self.commits_by_id = {i: c for i, c in self.commits_by_id.items() if i in used}
        return before * 1_000_000, len(self.commits_by_id) * 1_000_000

    def tip(self, app: App, branch: str) -> str | None:
        return self.branches.get((app.id, branch))

    def source(self, app: App, commit: str) -> Source:
        if commit not in {*self.kept.values(), *self.branches.values()}:
            raise NotFound(f"Commit {commit[:7]} is not stored")
        return self.commits_by_id[commit]

    def subject(self, app: App, commit: str) -> str:
        return "a change" if commit in self.commits_by_id else ""

    def commits(
        self, app: App, old: str | None, new: str, limit: int = 50
    ) -> tuple[tuple[str, str], ...]:
        order = list(self.commits_by_id)
        start = order.index(old) + 1 if old in order else 0
        span = order[start : order.index(new) + 1] if new in order else []
        return tuple((commit, "a change") for commit in reversed(span))[:limit]

    @contextmanager
    def frozen(self, app: App) -> Iterator[Path]:
        """Give a folder whose one file, with a name that backups take, holds all commits."""
        with TemporaryDirectory() as folder:
            kept = {c for (owner, _), c in self.kept.items() if owner == app.id}
            texts = {commit: self.commits_by_id[commit].text for commit in kept}
            (Path(folder) / "packed-refs").write_text(json.dumps(texts))
            yield Path(folder)

    def restore(self, app: App, folder: Path) -> None:
        for number, text in enumerate(json.loads((folder / "packed-refs").read_text()).values()):
            commit = Commit(text)
            self.commits_by_id[commit.id] = commit
            self.kept[app.id, number] = commit.id

    def destroy(self, app: App) -> None:
        self.branches = {key: c for key, c in self.branches.items() if key[0] != app.id}
        self.kept = {key: c for key, c in self.kept.items() if key[0] != app.id}

    def sweep(self) -> None:
        """There is no quarantine."""

    def collect_waste(self) -> None:
        self.waste_collected += 1


def _answer(stdout: BinaryIO, text: str) -> None:
    """Answer once: a client that was let go hears no more."""
    if not stdout.tell():
        stdout.write(text.encode())
