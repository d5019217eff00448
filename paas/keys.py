"""Ssh public keys: reading what a user pastes, and the file by which both ssh doors know them.

Only type and base64 of a key are kept, so that no option, second line or control character of the
paste reaches authorized_keys (sshd(8), "AUTHORIZED_KEYS FILE FORMAT").
"""

import base64
import binascii
import fcntl
import hashlib
import os
import pwd
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from paas.errors import InvalidName, Unavailable
from paas.model import SshKey
from paas.root import ROOT
from paas.settings import Settings
from paas.state.base import Keys

RSA_BITS = range(3072, 16384 + 1)  # 16384 is OpenSSH's own limit
ED25519_BYTES = 32  # RFC 8709
POINTS = {"nistp256": 65, "nistp384": 97, "nistp521": 133}  # bytes, uncompressed (SEC 1, 2.3.3)
TYPES = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        *(f"ecdsa-sha2-{curve}" for curve in POINTS),
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)


def parse_key(name: str, text: str, user: str = "") -> SshKey:
    """Return the user's key of one line `type base64 [comment]`. Raises InvalidName."""
    lines = text.strip().splitlines()
    if "PRIVATE KEY" in text:
        raise InvalidName(
            "This is a private key; keep it secret", hint="Give the file that ends in .pub."
        )
    if len(lines) != 1:
        raise InvalidName(
            f"One key was expected, not {len(lines)} lines",
            hint=f"Run: ssh-keys:add {name} < key.pub",
        )
    words = lines[0].split()
    if len(words) < 2 or words[0] not in TYPES:  # noqa: PLR2004 - type and base64
        raise InvalidName(
            "This is not a public key that can be used here",
            hint="Use ed25519, ecdsa or rsa, without options: ssh-keygen -t ed25519",
        )
    blob = _decode(words[1])
    _check_blob(words[0], blob)
    parts = words[0], base64.b64encode(blob).decode(), fingerprint(blob)
    return SshKey(name, *parts, time.time(), user)


def fingerprint(blob: bytes) -> str:
    """Return the fingerprint as ssh-keygen prints it: SHA256:... without padding."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


def write_authorized_keys(settings: Settings, keys: Keys) -> None:
    """Make the doors' authorized_keys equal to the stored keys: whole, or not at all.

    Raises Unavailable when the doors' user or folder is missing.
    """
    try:
        group = pwd.getpwnam(settings.door_user).pw_gid
        with _alone(settings.locks / "authorized_keys.lock"):  # two writers could swap their files
            text = authorized_lines(settings, keys.authorized())
            _replace(settings.door / "authorized_keys", text, group)
    except KeyError as error:
        raise Unavailable(
            f"The doors' user {settings.door_user} does not exist", hint="Run: paas setup"
        ) from error
    except FileNotFoundError as error:
        raise Unavailable(f"{error.filename} is missing", hint="Run: paas setup") from error


def authorized_lines(settings: Settings, keys: Sequence[SshKey]) -> str:
    """Return the text of authorized_keys. The forced command names the key; paas decides the rest.

    Without exec the user's shell would stay between sshd and the door, and tell sshd of a signal
    where the door has an exit status.
    """
    place = "" if str(settings.root) == ROOT else f"PAAS_ROOT={shlex.quote(str(settings.root))} "
    return "".join(
        'restrict,pty,command="{}" {} {} {}\n'.format(
            f"{place}exec paas door --key {key.fingerprint}".replace('"', '\\"'),
            *(key.type, key.blob, key.name),
        )
        for key in keys
    )


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidName("The key is damaged: not base64", hint="Paste it as one line.") from error


def _check_blob(kind: str, blob: bytes) -> None:
    """Raise InvalidName unless the blob is a whole key of its type (RFC 4253, 5656, 8709)."""
    try:
        inner, *fields = (bytes(field) for field in _fields(blob))
    except ValueError as error:
        raise InvalidName("The key is damaged: it ends early", hint="Paste it whole.") from error
    if inner != kind.encode() or not _is_whole(kind, fields):
        raise InvalidName(f"The key is not a whole {kind} key", hint="Paste it whole, as one line.")
    if kind == "ssh-rsa" and int.from_bytes(fields[1], "big").bit_length() not in RSA_BITS:
        raise InvalidName(
            f"An rsa key needs at least {RSA_BITS[0]} bits",
            hint="Make a better one: ssh-keygen -t ed25519",
        )


def _is_whole(kind: str, fields: Sequence[bytes]) -> bool:
    if kind.startswith("sk-"):  # one field more: the application (OpenSSH's PROTOCOL.u2f)
        *fields, application = fields or (b"",)
        if not application.startswith(b"ssh:"):
            return False
    if "ed25519" in kind:
        return [len(field) for field in fields] == [ED25519_BYTES]
    if kind == "ssh-rsa":
        return len(fields) == 2  # noqa: PLR2004 - exponent and modulus
    curve = kind.removesuffix("@openssh.com").rpartition("-")[2]
    return (
        len(fields) == 2  # noqa: PLR2004 - curve and point
        and fields[0] == curve.encode()
        and len(fields[1]) == POINTS[curve]
        and fields[1][0] == 4  # noqa: PLR2004 - uncompressed
    )


def _fields(blob: bytes) -> Iterator[bytes]:
    """Yield the length-prefixed strings of a blob. Raises ValueError if it ends early."""
    if not blob:
        raise ValueError("empty")
    while blob:
        end = 4 + int.from_bytes(blob[:4], "big")
        if end > len(blob):
            raise ValueError("too short")
        yield blob[4:end]
        blob = blob[end:]


def _replace(path: Path, text: str, group: int) -> None:
    """Put a new file in the old one's place, durably; readable by `group` only."""
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fchown(file.fileno(), os.geteuid(), group)
        os.fchmod(file.fileno(), 0o640)
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
