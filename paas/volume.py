"""Named volumes and where processes see them; every name is validated at construction."""

import re
from dataclasses import dataclass

from paas.errors import InvalidName

NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
DIRECTORY = re.compile(r"(?:/[A-Za-z0-9._-]+){1,16}", re.ASCII)
# What a container cannot start without, or what paas itself puts there.
TAKEN = ("/etc", "/bin", "/sbin", "/lib", "/lib64", "/usr", "/proc", "/sys", "/dev", "/run", "/tmp")  # noqa: S108 - in the container


@dataclass(frozen=True)
class Volume:
    """A file system of `size` bytes; its files belong to one app, or to none yet."""

    name: str
    size: int
    created_at: float
    app_id: int | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise InvalidName(
                f"{self.name!r} is not a volume's name",
                hint="Use 1-40 lower-case letters, digits and hyphens, a letter first.",
            )


@dataclass(frozen=True)
class Mount:
    """A volume in the processes of an app; `process_type` "" means all of them."""

    app_id: int
    volume: str
    directory: str  # in the container
    process_type: str = ""
    is_readonly: bool = False

    def __post_init__(self) -> None:
        check_place(self.directory)


@dataclass(frozen=True)
class HostMount:
    """A folder of the host in the processes of an app; `process_type` "" means all of them."""

    app_id: int
    path: str
    directory: str  # in the container
    process_type: str = ""
    is_readonly: bool = False

    def __post_init__(self) -> None:
        check_place(self.directory)
        if not DIRECTORY.fullmatch(self.path) or not {".", ".."}.isdisjoint(self.path.split("/")):
            raise InvalidName(
                f"{self.path!r} cannot be mounted", hint="Give a folder such as /srv/data/shop."
            )

    @property
    def text(self) -> str:
        """What is stored of it; parse() reads it."""
        return f"{'ro' if self.is_readonly else 'rw'}:{self.process_type}:{self.path}"

    @classmethod
    def parse(cls, app_id: int, directory: str, text: str) -> "HostMount":
        """Return what `text` was made of."""
        mode, process_type, path = text.split(":", 2)
        return cls(app_id, path, directory, process_type, mode == "ro")


def check_place(directory: str) -> None:
    """Raise InvalidName unless something can be mounted there in a container."""
    below = any(directory == t or directory.startswith(f"{t}/") for t in TAKEN)
    plain = DIRECTORY.fullmatch(directory) and len(directory) <= 255  # noqa: PLR2004 - NAME_MAX
    if not plain or below or not {".", ".."}.isdisjoint(directory.split("/")):
        raise InvalidName(
            f"Nothing can be mounted at {directory!r}",
            hint="Give a folder such as /data or /app/storage.",
        )
