"""Folders of the host in an app: an admin mounts them, below what the host's owner has opened."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from paas.model import App
from paas.volume import HostMount
from tests.commands.conftest import Person


@pytest.fixture
def data(paas: Person, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is opened for apps."""
    opened = tmp_path_factory.mktemp("srv").resolve()
    (opened / "shop").mkdir()
    paas.settings = replace(paas.settings, storage_paths=f"/nonexistent:{opened}")
    return opened


def mounted(paas: Person) -> tuple[HostMount, ...]:
    assert paas("ps:restart", "shop").status == 0
    return paas.scheduler.started[-1].host_mounts


def test_an_admin_mounts_what_is_opened(paas: Person, shop: App, data: Path) -> None:
    path = str(data / "shop")
    typed = paas.over_ssh("storage:mount", "shop", f"{path}:/data:ro")
    assert (typed.status, f"user {shop.uid}" in typed.out) == (0, True), typed.err
    assert mounted(paas) == (HostMount(shop.id, path, "/data", "", True),)
    told = json.loads(paas("storage:report", "shop", "--format", "json").out)
    assert told["host-paths"] == [f"{path}:/data:ro"]
    told = json.loads(paas("security:report", "shop", "--format", "json").out)
    assert told["host-paths"] == [f"{path}:/data"]
    assert path in paas("storage:list", "shop").out
    assert paas("storage:unmount", "shop", path).status == 0
    assert mounted(paas) == ()


def test_an_owner_who_is_no_admin_mounts_none(paas: Person, shop: App, data: Path) -> None:
    paas.user("ben", "owner", "shop")
    typed = paas.typing("ben", "storage:mount", "shop", f"{data}/shop:/data")
    assert (typed.status, mounted(paas)) == (1, ())


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("{data}/../x", "cannot be mounted"),
        ("/etc", "not below a folder that is opened"),
        ("{data}/etc", "not below a folder that is opened"),
        ("{data}/root", "not below a folder that is opened"),
        ("{data}/open/inner", "Others than root"),
        ("{data}/none", "not on this host"),
        ("{data}/file", "not a folder"),
    ],
)
def test_what_is_not_opened_is_refused(
    paas: Person, shop: App, data: Path, path: str, said: str
) -> None:
    (data / "etc").symlink_to("/etc")
    (data / "root").symlink_to(paas.settings.root)
    (data / "file").touch()
    (data / "open" / "inner").mkdir(parents=True)
    (data / "open").chmod(0o777)
    typed = paas("storage:mount", "shop", f"{path.format(data=data)}:/data")
    assert typed.status != 0
    assert said in typed.err


@pytest.mark.parametrize("opened", ["/", "/etc", "/var/lib/docker", "/usr/share"])
def test_the_system_is_never_mounted_whatever_is_opened(
    paas: Person, shop: App, opened: str
) -> None:
    paas.settings = replace(paas.settings, storage_paths=opened)
    for path in ("/etc", "/usr/share", "/var", str(paas.settings.root)):
        assert paas("storage:mount", "shop", f"{path}:/data").status != 0
    assert mounted(paas) == ()


def test_a_link_that_comes_later_is_not_followed_out(paas: Person, shop: App, data: Path) -> None:
    assert paas("storage:mount", "shop", f"{data}/shop:/data").status == 0
    (data / "shop").rmdir()
    (data / "shop").symlink_to("/etc")
    typed = paas("ps:restart", "shop")
    assert (typed.status, "not below a folder" in typed.err) == (1, True)
    assert "v1 is still serving" in typed.out


def test_one_place_holds_one_thing(paas: Person, shop: App, data: Path) -> None:
    assert paas("storage:mount", "shop", f"{data}:/data").status == 0
    assert paas("storage:mount", "shop", f"{data}/shop:/data").status == 1
    assert paas("storage:mount", "shop", f"{data}/shop:/etc/x").status == 2
    assert paas("storage:mount", "shop", f"{data}/shop:/data2:rx").status == 2
