"""What lies between two commits, as `git log old..new` tells it."""

from itertools import islice

from dulwich.errors import MissingCommitError
from dulwich.objects import Commit, ObjectID
from dulwich.walk import Walker

from paas.git.store import Store


def commits_between(store: Store, old: str | None, new: str, limit: int) -> list[tuple[str, str]]:
    """Return (id, message) of at most `limit` commits of `new` that `old` lacks, newest first.

    Where the history ends (shallow pushes) the walk ends too. An unknown commit gives nothing.
    """

    def parents(commit: Commit) -> list[ObjectID]:
        return [parent for parent in commit.parents if parent in store]

    exclude = [ObjectID(old.encode())] if old and store.has(old) else []
    if not store.has(new):
        return []
    try:
        walker = Walker(store, [ObjectID(new.encode())], exclude, get_parents=parents)
        found = [entry.commit for entry in islice(walker, limit)]
    except MissingCommitError:
        return []
    return [(commit.id.decode(), commit.message.decode(errors="replace")) for commit in found]
