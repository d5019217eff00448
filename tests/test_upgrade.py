"""Going to another version: what may be given, and that its bootstrap.sh is what runs."""

import tarfile
from pathlib import Path

import pytest

from paas.errors import UsageError
from paas.upgrade import upgrade


def release(folder: Path, status: int = 0) -> Path:
    """Lay out a version whose bootstrap.sh notes how it was called."""
    folder.mkdir()
    program = folder / "bootstrap.sh"
    program.write_text(f'#!/bin/sh\necho "$0 $*" > {folder.parent}/called\nexit {status}\n')
    program.chmod(0o755)
    return folder


def test_a_checkout_s_own_program_is_run(tmp_path: Path) -> None:
    folder = release(tmp_path / "new")
    assert upgrade([str(folder)]) == 0
    assert (tmp_path / "called").read_text() == f"{folder}/bootstrap.sh --no-demo\n"


def test_its_exit_status_is_ours(tmp_path: Path) -> None:
    assert upgrade([str(release(tmp_path / "new", status=3))]) == 3


def test_a_release_is_unpacked_and_nothing_of_it_stays(tmp_path: Path) -> None:
    folder, archive = release(tmp_path / "paas-1.0"), tmp_path / "paas.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "paas-1.0")
    assert upgrade([str(archive)]) == 0
    called = Path((tmp_path / "called").read_text().split()[0])
    assert called.name == "bootstrap.sh"
    assert not called.exists()


@pytest.mark.parametrize("args", [[], ["a", "b"], ["/nonexistent"], ["/etc"], ["/etc/hostname"]])
def test_what_is_no_version_is_refused(args: list[str]) -> None:
    with pytest.raises(UsageError):
        upgrade(args)
