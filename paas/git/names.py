"""What a file name in a tree, and a ref's name, may be.

File names: the rules of git-fsck(1) and of git's verify_path(): nothing that a checkout on Linux,
Windows (NTFS) or macOS (HFS+) would take for `.git`. Ref names: git-check-ref-format(1).
"""

import re

from dulwich.refs import Ref, check_ref_format

MODES = {0o040000, 0o100644, 0o100755, 0o120000, 0o160000}
DIRECTORY, LINK, SUBMODULE = 0o040000, 0o120000, 0o160000
FILE_TYPES = {0o040000, 0o100000, 0o120000, 0o160000}  # without permissions
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Code points that HFS+ leaves out of comparisons (git's utf8.c, next_hfs_char).
IGNORED_BY_HFS = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]
)
NAME_BYTES = 255  # NAME_MAX of Linux
REF_BYTES, REF_PART_BYTES = 400, 200  # `.lock` is put behind it
BRANCHES, TAGS = b"refs/heads/", b"refs/tags/"


def is_dangerous(name: bytes) -> bool:
    """Whether a tree entry's name could lead a checkout anywhere but to a new file."""
    if not name or name in {b".", b".."} or b"/" in name:
        return True
    if name.isascii() and b"git" not in name.lower():
        return False  # as most are: a large history has a million of them
    return any(_is_dot_git(part) for part in name.decode(errors="replace").split("\\"))


def name_fault(name: bytes) -> str:
    """Return why a file of this name is not deployed, "" if it may be."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return "is not UTF-8"
    if CONTROL.search(text):
        return "has a control character in it"
    return "is longer than 255 bytes" if len(name) > NAME_BYTES else ""


def _is_dot_git(part: str) -> bool:
    plain = part.translate(IGNORED_BY_HFS).casefold()
    return plain.partition(":")[0].rstrip(" .") in {".git", "git~1"}


def ref_fault(ref: bytes) -> str:
    """Return why a ref of this name may not be pushed, "" if it may."""
    if not check_ref_format(Ref(ref)) or not _is_plain(ref):
        return "funny refname"
    if not ref.startswith((BRANCHES, TAGS)):
        return "only branches and tags can be pushed"
    return ""


def _is_plain(ref: bytes) -> bool:
    """Whether the name is printable, short enough for a file, and no option to any tool."""
    try:
        text = ref.decode()
    except UnicodeDecodeError:
        return False
    parts = ref.split(b"/")
    return (
        text.isprintable()
        and len(ref) <= REF_BYTES
        and all(len(part) <= REF_PART_BYTES and not part.startswith(b"-") for part in parts)
    )
