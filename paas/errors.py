"""Every error that paas raises on purpose, in one tree.

PaasError                  1   anything that stopped a command; shown once, at the door
├── UsageError             2   the command was typed wrongly
│   └── InvalidName        2   a name or value is not of its form
├── NotFound              20   the app is missing, or may not be seen: the same words for both
├── Forbidden              1   the verb needs more rights than the actor has
├── Conflict               1   the name is taken, or another deploy is at work
├── SourceRefused          1   the push was refused: hostile tree, pack too large, stale ref
├── BuildFailed            1   no buildpack matches, or the build stopped
├── StartFailed            1   the new processes did not become healthy
│   └── ImageMissing       1   the engine does not have the image any more
├── CommandEnded           *   a one-off command was ended: its own exit status
├── HookRefused            1   the host's owner's hook said no
├── Cancelled            130   the deploy was cancelled before the commit point
├── Outdated               1   the database is of a newer paas than the one that runs
└── Unavailable           75   a part of the host does not answer (EX_TEMPFAIL of sysexits.h)
    ├── EngineUnavailable 75   Docker Engine does not answer
    ├── ProxyUnavailable  75   nginx or nftables refused
    └── DiskFull          75   less free space than the disk rule wants
"""


class PaasError(Exception):
    """An error meant for the user: what happened, and what to do next.

    `message` is one sentence without a full stop at the end; `hint` is the next command or step
    (may be empty); `details` are lines shown between them, such as the last lines of a log.
    """

    exit_status = 1
    shown = False  # set by the reporter, so that the door does not show it again

    def __init__(self, message: str, *, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details


class UsageError(PaasError):
    """The command was typed wrongly."""

    exit_status = 2


class InvalidName(UsageError):
    """A name or value is not of its form."""


class NotFound(PaasError):
    """The app is missing, or the actor may not see it."""

    exit_status = 20


class Forbidden(PaasError):
    """The verb needs more rights than the actor has."""


class Conflict(PaasError):
    """The name is taken, or another deploy is at work."""


class SourceRefused(PaasError):
    """The pushed objects or refs were refused."""


class BuildFailed(PaasError):
    """No image came out of the source."""


class StartFailed(PaasError):
    """The new processes did not become healthy."""


class ImageMissing(StartFailed):
    """The engine does not have the image any more."""


class CommandEnded(PaasError):
    """A one-off command was ended; its exit status is passed on, as 1 if that is 0."""

    def __init__(self, message: str, status: int, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exit_status = status or 1


class HookRefused(PaasError):
    """A lifecycle hook of the host's owner exited with a status other than zero."""


class Cancelled(PaasError):
    """The deploy was cancelled before its commit point."""

    exit_status = 130


class Outdated(PaasError):
    """A newer paas has moved the database forward; the one that runs must not touch it."""


class Unavailable(PaasError):
    """A part of the host does not answer."""

    exit_status = 75


class EngineUnavailable(Unavailable):
    """Docker Engine does not answer."""


class ProxyUnavailable(Unavailable):
    """nginx or nftables refused the change."""


class DiskFull(Unavailable):
    """Less free space than the disk rule wants."""
