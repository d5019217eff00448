"""What a push does: pack into quarantine, inspection, lock, deploy, refs."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from paas.errors import PaasError, SourceRefused
from paas.git.base import NoWait, Push, PushHandler, PushOptions
from paas.git.inspect import Inspected, inspect_commit
from paas.git.judge import Values, judge_names, judge_object
from paas.git.limits import MB
from paas.git.names import BRANCHES
from paas.git.objects import Missing
from paas.git.packs import PackTaker
from paas.git.quarantine import Quarantine
from paas.git.receive import INTERNAL, Answer, Command
from paas.git.scan import PackStream
from paas.git.snapshot import GitSource
from paas.git.store import (
    ask_again,
    exclusive,
    move_branch,
    read_ref,
    remove_ref,
    stop_asking,
    write_ref,
)
from paas.git.wire import Progress
from paas.git.words import one_line, refusals, subject_line
from paas.reporter import Reporter

FIRST_BRANCHES = ("main", "master")
OPTIONS = {"no-cache": "no_cache", "verbose": "verbose", "no-wait": "no_wait"}
MANY_OBJECTS = 500  # below, checking takes less than the 100 ms until the first line is due


class Intake:
    """One push into one repository. Its parts are called in the order of its methods."""

    def __init__(
        self,
        repository: Path,
        handler: PushHandler,
        progress: Progress,
        taker: PackTaker,
    ) -> None:
        self._repository = repository
        self._handler = handler
        self._progress = progress
        self._reporter = Reporter(progress)
        self._taker = taker
        self._inspected: dict[str, Inspected] = {}
        self._deploying = False
        self._is_asking = False  # for all that was left out before

    def run(
        self,
        answer: Answer,
        opening: AbstractContextManager[Quarantine],
        receive: Callable[[int], bytes],
        options: tuple[str, ...],
    ) -> None:
        """Do all that the push asks for, and write down in `answer` what came of it.

        Errors that are not PaasErrors are raised when the answer is complete.
        """
        try:
            with refusals(), self._progress.alive(), opening as quarantine:
                judge_names(answer)
                self._take_pack(answer, quarantine, receive)
                self._judge_objects(answer, quarantine)
                self._apply(answer, quarantine, self._parse_options(options))
        except PaasError as error:
            answer.refuse_all(one_line(error.message))
            if not self._deploying:  # the deploy has shown its own failure
                self._reporter.failure(error)
        except KeyboardInterrupt:  # a signal, or a key that was taken away
            answer.refuse_all("the push was interrupted")
            raise
        except BaseException:
            answer.refuse_all(INTERNAL)
            raise

    def _take_pack(
        self, answer: Answer, quarantine: Quarantine, receive: Callable[[int], bytes]
    ) -> None:
        """Read, index and check the pack; a push that only deletes has none."""
        try:
            if any(command.new for command in answer.commands):
                self._taker.take(receive, quarantine, self._checking)
            answer.unpack = ""
        except PaasError as error:
            answer.unpack = one_line(error.message)
            self._ask_again(error, answer, quarantine)
            raise

    def _ask_again(self, error: PaasError, answer: Answer, quarantine: Quarantine) -> None:
        """Ask for all at the next try if what is missing may be what a shallow push left out."""
        if isinstance(error, Missing) and quarantine.store.shallow:
            ask_again(self._repository, (c.new for c in answer.commands if c.new))
            self._is_asking = True
            error.hint = "A shallow push left it out. Push the same once more: all is sent then"

    @contextmanager
    def _checking(self, stream: PackStream) -> Iterator[None]:
        self._handler.arrived()
        text = f"Checking {stream.objects:,} objects, {stream.size / MB:.1f} MB"
        long = stream.objects > MANY_OBJECTS or stream.size > 10 * MB
        with self._reporter.step(text) if long else nullcontext():
            yield

    def _judge_objects(self, answer: Answer, quarantine: Quarantine) -> None:
        """Refuse refs to missing or wrong objects; inspect the tree that is to be deployed."""
        branch = self._deploy_branch(answer)
        for command in answer.good:
            if command.new:
                try:
                    judge_object(quarantine.store, command, command.new)
                    if branch is not None and command.branch == branch:
                        self._inspect(command.new, quarantine)
                except SourceRefused as error:
                    self._ask_again(error, answer, quarantine)
                    self._reporter.failure(error)
                    answer.refs[command.ref] = one_line(error.message)

    def _inspect(self, commit: str, quarantine: Quarantine) -> Inspected:
        if commit not in self._inspected:
            self._inspected[commit] = inspect_commit(
                quarantine.store, bytes.fromhex(commit), self._taker.limits
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
            branch = self._deploy_branch(answer)
            Values(self._repository, quarantine.store, branch).judge(answer)
            if no_wait and (refused := answer.refs[BRANCHES + no_wait.branch.encode()]):
                raise SourceRefused(refused)  # the client may have gone: the lock's owner is told
            for command in answer.good:
                if branch is not None and command.branch == branch and command.new:
                    self._deploy(command, command.new, quarantine, options)
            rest = [c for c in answer.good if c.branch != branch or branch is None]
            self._store(rest, answer, quarantine)
            if not answer.good:  # the lock's owner shall know that nothing came of it
                raise SourceRefused("; ".join(sorted(set(answer.refs.values()))))
            if not self._is_asking:
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
                if refused := Values(self._repository, quarantine.store, branch).fault(command):
                    raise SourceRefused(refused)
                return NoWait(branch, command.new, answer.send)
        return None

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
            for command in sorted(commands, key=lambda c: c.new is not None):  # room for others
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
