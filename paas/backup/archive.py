"""What stands in a backup, and reading one without believing it.

A backup is a tar of plain files and folders, in this order: `manifest.json`, `paas.db`, then the
rest. Names that are not on the list, links and devices are refused, so that no member leads out of
the folder it is unpacked into.
"""

import io
import json
import os
import re
import shutil
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from paas.errors import DiskFull, PaasError

FORMAT = 1
MANIFEST, DATABASE, IMAGES = "manifest.json", "paas.db", "images.tar"
NAME = r"[A-Za-z0-9_][A-Za-z0-9._+@-]*"
REF = r"[^\x00-\x20\x7f/.~^:?*\[\\][^\x00-\x20\x7f/~^:?*\[\\]*"  # git-check-ref-format(1)
ALLOWED = re.compile(
    rf"""{re.escape(MANIFEST)} | {re.escape(DATABASE)} | {re.escape(IMAGES)} | paas\.toml
    | repos/[0-9]+\.git/(?: HEAD | packed-refs | shallow
        | refs/(?:{REF}/)*{REF}
        | objects/[0-9a-f]{{2}}/[0-9a-f]{{38}}
        | objects/pack/pack-[0-9a-f]+\.(?:pack|idx|rev) )
    | (?:hooks|nginx-templates)/(?:{NAME}/)*{NAME}
    | door/ssh_host_ed25519_key(?:\.pub)?
    | log/deploys/[0-9]+\.log""",
    re.ASCII | re.VERBOSE,
)
FIRST_BYTES = 64 * 1024 * 1024  # of a manifest: far more than any needs
ROOM = 256 * 1024 * 1024  # bytes that stay free on the disk
EXECUTABLE, PLAIN = 0o755, 0o644


@dataclass(frozen=True)
class Manifest:
    """What the backup says of itself."""

    version: str  # of paas
    schema: int
    instance: str
    network: str
    domain: str
    created_at: str
    apps: tuple[str, ...]
    images: bool
    format: int = FORMAT


class Writer:
    """Writes a backup to a stream that need not be seekable."""

    def __init__(self, out: BinaryIO, manifest: Manifest) -> None:
        self._tar = tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed by close()
        text = json.dumps(asdict(manifest), indent=1).encode()
        member = tarfile.TarInfo(MANIFEST)
        member.size, member.mode = len(text), PLAIN
        self._tar.addfile(member, io.BytesIO(text))

    def add(self, path: Path, name: str) -> bool:
        """Add a file; return whether it is a plain one whose name is on the list."""
        if not ALLOWED.fullmatch(name):
            return False
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False  # it went away meanwhile, or is a link
        with os.fdopen(descriptor, "rb") as file:
            info = os.fstat(descriptor)
            member = tarfile.TarInfo(name)
            member.size, member.mtime = info.st_size, int(info.st_mtime)
            member.mode = EXECUTABLE if info.st_mode & 0o100 else PLAIN
            self._tar.addfile(member, file)
        return True

    def add_tree(self, folder: Path, name: str) -> list[str]:
        """Add the files below a folder, without following links; return what was left out."""
        left_out = []
        for place, _, files in os.walk(folder):
            for file in sorted(files):
                path = Path(place) / file
                if not self.add(path, f"{name}/{path.relative_to(folder)}"):
                    left_out.append(str(path))
        return left_out

    def close(self) -> None:
        """Write the end of the archive."""
        self._tar.close()


def unpack(source: BinaryIO, folder: Path) -> Manifest:
    """Unpack a backup below `folder`; return its manifest. Raises PaasError for what is none."""
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            manifest = _read_manifest(tar)
            while member := tar.next():
                _unpack_member(tar, member, folder)
    except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError) as error:
        raise _no_backup(str(error)) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _no_backup("two of its members have one name") from error
    if not (folder / DATABASE).is_file():
        raise _no_backup("it has no database")
    return manifest


def _read_manifest(tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    file = tar.extractfile(first) if first else None
    if first is None or file is None or first.name != MANIFEST or first.size > FIRST_BYTES:
        raise _no_backup("it does not begin with a manifest")
    read = json.loads(file.read())
    if not isinstance(read, dict):
        raise _no_backup("its manifest is none")
    if read.get("format") != FORMAT:
        raise PaasError(
            f"The backup has format {read.get('format')!r}, this paas knows {FORMAT}",
            hint="Import it with the paas that made it, or a newer one.",
        )
    return Manifest(**{**read, "apps": tuple(read["apps"])})


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    if not member.isreg() or not ALLOWED.fullmatch(member.name):
        raise PaasError(
            f"The backup has a member that it must not have: {member.name[:200]!r}",
            hint="Nothing was imported. Was the file changed?",
        )
    if member.size > shutil.disk_usage(folder).free - ROOM:
        raise DiskFull("The disk has no room for the backup", hint="Free some space; try again.")
    path = folder / member.name
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    mode = EXECUTABLE if member.mode & 0o100 else PLAIN
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        if source is not None:
            shutil.copyfileobj(source, file, 1 << 20)


def _no_backup(why: str) -> PaasError:
    return PaasError(
        f"This is not a whole backup of paas: {why}",
        hint="Nothing was imported. Give the file that backup:export wrote.",
    )
