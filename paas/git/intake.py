"""What a push does: pack into quarantine, inspection, lock, deploy, refs."""

import errno
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path

from dulwich.objects import RawObjectID

from paas.errors import DiskFull, PaasError, SourceRefused
from paas.git.base import NoWait, Push, PushHandler, PushOptions
from paas.git.index import Incomplete, Indexer, choose_indexer
from paas.git.inspect import Inspected, inspect_commit
from paas.git.limits import MB, Limits
from paas.git.names import BRANCHES, ref_fault
from paas.git.objects import parse_commit, parse_tag, read_object
from paas.git.quarantine import Quarantine
from paas.git.receive import Answer, Command
from paas.git.scan import TAG, PackStream
from paas.git.snapshot import GitSource
from paas.git.store import (
    RefNames,
    ask_again,
    exclusive,
    is_ancestor,
    move_branch,
    read_ref,
    remove_ref,
    stop_asking,
    write_ref,
)
from paas.git.wire import Progress
from paas.reporter import Reporter, clean

FIRST_BRANCHES = ("main", "master")
OPTIONS = {"no-cache": "no_cache", "verbose": "verbose", "no-wait": "no_wait"}
MANY_OBJECTS = 500  # below, checking takes less than the 100 ms until the first line is due
SUBJECT, REASON, TAG_CHAIN = 60, 200, 10  # characters, characters, objects


class Intake:
    """One push into one repository. Its parts are called in the order of its methods."""

    def __init__(
        self,
        repository: Path,
        handler: PushHandler,
        progress: Progress,
        limits: Limits,
        git: str | None,
    ) -> None:
        self._repository = repository
        self._handler = handler
        self._progress = progress
        self._reporter = Reporter(progress)
        self._limits = limits
        self._git = git
        self._inspected: dict[str, Inspected] = {}
        self._deploying = False

    def run(
        self,
        answer: Answer,
        quarantine: Quarantine,
        receive: Callable[[int], bytes],
        options: tuple[str, ...],
    ) -> None:
        """Do all that the push asks for, and write down in `answer` what came of it.

        Errors that are not PaasErrors are raised when the answer is complete.
        """
        try:
            with _refusals(), self._progress.alive():
                self._judge_names(answer)
                self._take_pack(answer, quarantine, receive)
                self._judge_objects(answer, quarantine)
                self._apply(answer, quarantine, self._parse_options(options))
        except PaasError as error:
            if not self._deploying:  # the deploy has shown its own failure
                self._reporter.failure(error)
            answer.refuse_all(one_line(error.message))
        except BaseException:
            answer.refuse_all("internal error, see the log of the host")
            raise

    def _judge_names(self, answer: Answer) -> None:
        for command in answer.commands:
            twice = command.ref in answer.refs
            answer.refs[command.ref] = "named twice" if twice else ref_fault(command.ref)

    def _take_pack(
        self, answer: Answer, quarantine: Quarantine, receive: Callable[[int], bytes]
    ) -> None:
        """Read, index and check the pack; a push that only deletes has none."""
        if not any(command.new for command in answer.commands):
            return
        try:
            stream = PackStream(receive, self._limits)
            if not stream.objects:
                stream.copy(_discard)
                return
            with closing(choose_indexer(self._git, quarantine, self._limits)) as indexer:
                indexer.feed(stream)
                with self._announced(stream):
                    self._finish_pack(quarantine, stream, indexer)
        except PaasError as error:
            answer.unpack = one_line(error.message)
            if isinstance(error, Incomplete) and quarantine.store.shallow:
                ask_again(self._repository, (c.new for c in answer.commands if c.new))
                error.hint = "A shallow push left it out. Push the same once more: all is sent then"
            raise

    @contextmanager
    def _announced(self, stream: PackStream) -> Iterator[None]:
        text = f"Checking {stream.objects:,} objects, {stream.size / MB:.1f} MB"
        long = stream.objects > MANY_OBJECTS or stream.size > 10 * MB
        with self._reporter.step(text) if long else nullcontext():
            yield

    def _finish_pack(self, quarantine: Quarantine, stream: PackStream, indexer: Indexer) -> None:
        indexer.finish()
        for pack in quarantine.store.packs:
            find = pack.index.object_offset
            stream.check_referred(lambda identity: find(RawObjectID(identity)))  # noqa: B023 - called at once

    def _judge_objects(self, answer: Answer, quarantine: Quarantine) -> None:
        """Refuse refs to missing or wrong objects; inspect the tree that is to be deployed."""
        branch = self._deploy_branch(answer)
        for command in answer.good:
            if command.new:
                try:
                    self._judge_object(command, command.new, quarantine, branch)
                except SourceRefused as error:
                    self._reporter.failure(error)
                    answer.refs[command.ref] = one_line(error.message)

    def _judge_object(
        self, command: Command, new: str, quarantine: Quarantine, branch: str | None
    ) -> None:
        identity = bytes.fromhex(new)
        kind, content = read_object(quarantine.store, identity)
        if command.branch is not None:
            parse_commit(identity, kind, content)
            if command.branch == branch:
                self._inspect(new, quarantine)
            return
        for _ in range(TAG_CHAIN):
            if kind != TAG:
                return
            identity, kind = parse_tag(identity, content)
            kind, content = read_object(quarantine.store, identity)
        raise SourceRefused(f"The tag {new} is a tag of a tag of a tag ...")

    def _inspect(self, commit: str, quarantine: Quarantine) -> Inspected:
        if commit not in self._inspected:
            self._inspected[commit] = inspect_commit(
                quarantine.store, bytes.fromhex(commit), self._limits
            )
        return self._inspected[commit]

    def _deploy_branch(self, answer: Answer) -> str | None:
        """Return the branch that deploys: the one that is set, else the first that may."""
        pushed = (c.branch for c in answer.good if c.new and c.branch in FIRST_BRANCHES)
        return self._handler.deploy_branch() or next(pushed, None)

    def _apply(self, answer: Answer, quarantine: Quarantine, options: PushOptions) -> None:
        """Under the app's lock: compare, deploy, store the rest."""
        if not answer.good:
            return
        no_wait = self._no_wait(answer, quarantine) if options.no_wait else None
        with self._handler.lock(self._progress, no_wait):
            branch, names = self._deploy_branch(answer), RefNames(self._repository)
            for command in answer.good:
                answer.refs[command.ref] = self._judge_values(command, quarantine, branch, names)
            if no_wait and (refused := answer.refs[BRANCHES + no_wait.branch.encode()]):
                raise SourceRefused(refused)  # the client may have gone: the lock's owner is told
            for command in answer.good:
                if branch is not None and command.branch == branch and command.new:
                    self._deploy(command, command.new, quarantine, options)
            rest = [c for c in answer.good if c.branch != branch or branch is None]
            self._store(rest, answer, quarantine)
            if not answer.good:  # the lock's owner shall know that nothing came of it
                raise SourceRefused("; ".join(sorted(set(answer.refs.values()))))
            stop_asking(self._repository)
            if all(command.new for command in rest) and rest:
                self._tell_stored(rest, branch, deployed=len(rest) < len(answer.good))

    def _no_wait(self, answer: Answer, quarantine: Quarantine) -> NoWait | None:
        """Return what lets the client go early; None for a push that deploys nothing.

        What can be refused is refused now. Raises SourceRefused.
        """
        branch = self._deploy_branch(answer)
        for command in answer.good:
            if branch is not None and command.branch == branch and command.new:
                names = RefNames(self._repository)
                if refused := self._judge_values(command, quarantine, branch, names):
                    raise SourceRefused(refused)
                return NoWait(branch, command.new, answer.send)
        return None

    def _judge_values(
        self, command: Command, quarantine: Quarantine, branch: str | None, names: RefNames
    ) -> str:
        """Return why the ref may not move, "" if it may.

        A client that forces names the value that it saw, as one that does not. So a ref that has
        not moved since takes any value, and one that has takes only descendants.
        """
        now = read_ref(self._repository, command.ref)
        if command.new is None and command.branch is not None and command.branch == branch:
            return f"{branch} is the branch that deploys: it cannot be deleted"
        if command.new and (other := names.clash(command.ref)):
            return f"{other} is in the way"  # before the deploy: after it there is no way back
        if now in {None, command.old}:
            return ""
        follows = command.new and is_ancestor(quarantine.store, str(now), command.new)
        return "" if follows else "fetch first"

    def _deploy(
        self, command: Command, new: str, quarantine: Quarantine, options: PushOptions
    ) -> None:
        inspected = self._inspect(new, quarantine)
        self._warn_of(inspected)
        push = Push(
            branch=str(command.branch),
            old=read_ref(self._repository, command.ref),
            new=new,
            subject=subject_line(inspected.commit.subject),
            files=len(inspected.files),
            source=GitSource(quarantine.open_store(), new, inspected),
            options=options,
        )
        self._deploying = True
        self._handler.deploy(push, self._progress)
        self._deploying = False
        with suppress(OSError):  # it is live: recovery moves the branch when the disk has room
            quarantine.admit()
            move_branch(self._repository, push.branch, new)

    def _warn_of(self, inspected: Inspected) -> None:
        for path in inspected.submodules[:5]:
            self._reporter.problem(f"The submodule {path} is left empty: paas does not fetch it")

    def _store(self, commands: list[Command], answer: Answer, quarantine: Quarantine) -> None:
        """Move the refs that do not deploy."""
        if any(command.new for command in commands):
            quarantine.admit()
        with exclusive(self._repository):
            for command in commands:
                try:
                    if command.new:
                        write_ref(self._repository, command.ref, command.new)
                    else:
                        remove_ref(self._repository, command.ref)
                except OSError as error:
                    answer.refs[command.ref] = f"cannot be written: {error.strerror}"

    def _tell_stored(self, commands: list[Command], branch: str | None, *, deployed: bool) -> None:
        names = ", ".join(c.ref.decode().split("/", 2)[2] for c in commands[:3])
        more = f" and {len(commands) - 3} more" if len(commands) > 3 else ""  # noqa: PLR2004 - as above
        which = f"{branch} deploys" if branch else "push main or master to deploy"
        what = "" if deployed else ", nothing was deployed"
        self._reporter.problem(f"{names}{more} stored{what}: {which}")

    def _parse_options(self, options: tuple[str, ...]) -> PushOptions:
        for option in options:
            if option not in OPTIONS:
                self._reporter.problem(
                    f"Unknown push option {one_line(option)!r}; known are {', '.join(OPTIONS)}"
                )
        return PushOptions(**{name: True for text, name in OPTIONS.items() if text in options})


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what a hostile or unlucky push makes of the machine into words."""
    try:
        yield
    except MemoryError as error:
        raise SourceRefused("The push needs more memory than a push may have") from error
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise DiskFull("The disk is full", hint="Free some space, then push again.") from error


def _discard(_: bytes) -> None:
    """Write nowhere."""


def one_line(text: str) -> str:
    """Return the text as one printable line of at most 200 characters."""
    return " ".join(clean(text).split())[:REASON]


def subject_line(text: str) -> str:
    """Return a commit's subject as it is shown: printable, at most 60 characters."""
    return one_line(text)[:SUBJECT]
