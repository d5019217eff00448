"""The ssh door's host key: made once, kept across restarts and upgrades."""

import os
from pathlib import Path

NAME = "ssh_host_ed25519_key"


def keep_host_key(directory: Path, group: int) -> Path:
    """Return the path of the ed25519 host key in `directory`; make it if it is missing.

    Root owns it, `group` may read it. OpenSSH format (PROTOCOL.key of OpenSSH); the public half
    stands beside it as `.pub`, for known_hosts.
    """
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    path = directory / NAME
    if not path.exists():
        _make(path)
    os.chown(path, 0, group)
    path.chmod(0o640)
    return path


def make_pair() -> tuple[bytes, bytes]:
    """Return a new ed25519 key: the private half as a file's content, the public one as a line."""
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - 10 MB, once
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    return private, public


def _make(path: Path) -> None:
    private, public = make_pair()
    path.with_suffix(".pub").write_bytes(public + b" paas\n")
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - opened with its mode
        file.write(private)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
