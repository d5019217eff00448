"""Follows the symbolic links of a pushed tree as Linux does, and no further than anybody means."""

from collections.abc import Mapping

from paas.errors import SourceRefused
from paas.git.limits import Limits
from paas.git.objects import printable

LINK_BYTES = 4096  # PATH_MAX of Linux
LINK_HOPS = 40  # as Linux allows before ELOOP
STEPS = (
    40  # per file that a tree may have: a path's parts and those of its target, and some to spare
)


def check_links(links: Mapping[str, str], limits: Limits) -> None:
    """Raise SourceRefused for a link that leaves the tree, and for links that lead on and on."""
    left = STEPS * limits.files
    for path in links:
        end, steps = follow(links, path)
        if end is None:
            raise SourceRefused(
                f"The symbolic link {printable(path.encode())} leads out of the repository",
                hint="Make it point to a file inside the repository, by a relative path.",
            )
        left -= steps
        if left < 0:
            raise SourceRefused(
                f"The symbolic links take more than {STEPS * limits.files:,} steps to follow",
                hint="Let them point to files, not to other links.",
            )


def follow(links: Mapping[str, str], path: str) -> tuple[str | None, int]:
    """Return where `path` leads inside the tree, None if outside, and how many steps that took.

    A link whose chain does not end leads to itself: nothing is there, and nothing is outside.
    Raises SourceRefused for a way that grows longer than a path may be: Linux would follow it.
    """
    done, todo, steps, hops = "", path, 0, 0
    while todo:
        steps += 1
        part, _, todo = todo.partition("/")
        if part == "..":
            if not done:
                return None, steps
            done = done.rpartition("/")[0]
        elif part not in {"", "."}:
            here = f"{done}/{part}" if done else part
            target = links.get(here)
            if target is None:
                done = here
                continue
            hops += 1
            if hops > LINK_HOPS:
                return path, steps
            if target.startswith("/"):
                return None, steps
            todo = f"{target}/{todo}"
            if len(done) + len(todo) > LINK_BYTES:
                raise SourceRefused(
                    f"The symbolic link {printable(path.encode())} leads through a path of more "
                    f"than {LINK_BYTES:,} characters",
                    hint="Let it point straight to its file.",
                )
    return done, steps
