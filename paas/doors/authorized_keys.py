"""The keys that may come in: the fingerprints of the daemon's authorized_keys file."""

import base64
import contextlib
import functools
import hashlib
from pathlib import Path

TYPES = frozenset(
    {
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "ssh-rsa",  # the key's type; signatures with SHA-1 are refused elsewhere
    }
)


def fingerprint(blob: bytes) -> str:
    """Return a public key's fingerprint, as ssh-keygen prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def authorized(path: Path) -> frozenset[str]:
    """Return the fingerprints of all keys in authorized_keys; options are OpenSSH's business."""
    try:
        info = path.stat()
        return _read_keys(path, (info.st_ino, info.st_mtime_ns, info.st_size))
    except OSError:
        return frozenset()


@functools.lru_cache(maxsize=1)
def _read_keys(path: Path, _version: tuple[int, int, int]) -> frozenset[str]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    prints = set()
    for words in map(str.split, lines):
        for place, word in enumerate(words[:-1]):
            if word in TYPES and not words[0].startswith("#"):
                with contextlib.suppress(ValueError):  # a broken line lets nobody in
                    prints.add(fingerprint(base64.b64decode(words[place + 1], validate=True)))
    return frozenset(prints)
