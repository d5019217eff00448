"""Judges what a push names: its refs, the objects that they are to point to, their old values."""

from collections.abc import Collection
from pathlib import Path

from paas.errors import SourceRefused
from paas.git.names import ref_fault
from paas.git.objects import parse_commit, parse_tag, read_object
from paas.git.receive import Answer, Command
from paas.git.scan import TAG
from paas.git.store import RefNames, Store, is_ancestor, read_ref

TAG_CHAIN = 10  # objects


def judge_names(answer: Answer) -> None:
    """Refuse refs that may not be pushed; from here on nothing speaks against the others."""
    seen = set[bytes]()
    for command in answer.commands:
        twice = command.ref in seen
        answer.refs[command.ref] = "named twice" if twice else ref_fault(command.ref)
        seen.add(command.ref)


def judge_object(store: Store, command: Command, new: str) -> None:
    """Raise SourceRefused unless what the ref is to point to is there, and right for it."""
    identity = bytes.fromhex(new)
    kind, content = read_object(store, identity)
    if command.branch is not None:
        parse_commit(identity, kind, content)
        return
    for _ in range(TAG_CHAIN):
        if kind != TAG:
            return
        identity, kind = parse_tag(identity, content)
        kind, content = read_object(store, identity)
    raise SourceRefused(f"The tag {new} is a tag of a tag of a tag ...")


class Values:
    """The refs as they stand, under the app's lock, next to what the commands want of them.

    `branch` is the one that deploys.
    """

    def __init__(self, repository: Path, store: Store, branch: str | None) -> None:
        self._repository = repository
        self._store = store
        self._branch = branch
        self._names = RefNames(repository)

    def judge(self, answer: Answer) -> None:
        """Refuse what may not be; deletions come first, and make room for other refs."""
        gone = set[bytes]()
        for command in sorted(answer.good, key=lambda c: c.new is not None):
            answer.refs[command.ref] = fault = self.fault(command, gone)
            if not fault and not command.new:
                gone.add(command.ref)

    def fault(self, command: Command, gone: Collection[bytes] = ()) -> str:
        """Return why the ref may not move, "" if it may.

        A client that forces names the value that it saw, as one that does not. So a ref that has
        not moved since takes any value, and one that has takes only descendants.
        """
        now = read_ref(self._repository, command.ref)
        deploys = command.branch is not None and command.branch == self._branch
        if deploys and not command.new:
            return f"{self._branch} is the branch that deploys: it cannot be deleted"
        # Said before the deploy, for there is no way back after it; deletions come after it.
        if command.new and (other := self._names.clash(command.ref, () if deploys else gone)):
            return f"{other} is in the way"
        if now in {None, command.old}:
            return ""
        follows = command.new and is_ancestor(self._store, str(now), command.new)
        return "" if follows else "fetch first"
