import json

import pytest

from paas.model import App
from paas.volume import Mount
from tests.commands.conftest import Person

MB = 1024 * 1024


@pytest.fixture
def volume(paas: Person) -> str:
    assert paas("storage:create", "uploads", "--size", "64m").status == 0
    return "uploads"


def mounts(paas: Person) -> tuple[Mount, ...]:
    assert paas("ps:restart", "shop").status == 0
    return paas.scheduler.started[-1].mounts


def test_a_volume_is_seen_from_the_next_start_on(paas: Person, shop: App, volume: str) -> None:
    typed = paas("storage:mount", "shop", volume, "--container-dir", "/data")
    assert (typed.status, "ps:restart shop" in typed.out) == (0, True)
    assert paas.scheduler.stored == {"uploads": (64 * MB, shop.uid)}
    assert mounts(paas) == (Mount(shop.id, volume, "/data"),)
    assert paas("storage:unmount", "shop", volume).status == 0
    assert mounts(paas) == ()


def test_only_the_chosen_processes_see_it(paas: Person, volume: str) -> None:
    paas.push("shop", "web: serve\nworker: work")
    paas("ps:scale", "shop", "worker=1")
    words = ("--container-dir", "/data", "--process-type", "worker", "--readonly")
    assert paas("storage:mount", "shop", volume, *words).status == 0
    paas("ps:restart", "shop")
    seen = {spec.process_type: spec.mounts for spec in paas.scheduler.started[-2:]}
    assert (seen["web"], seen["worker"][0].is_readonly) == ((), True)
    listed = json.loads(paas("storage:list", "shop", "--format", "json").out)
    assert listed == [
        {
            "entry_name": volume,
            "container_path": "/data",
            "process_type": "worker",
            "readonly": True,
        }
    ]


def test_a_volume_belongs_to_one_app(paas: Person, shop: App, volume: str) -> None:
    paas.push("blog")
    paas("storage:mount", "shop", volume, "--container-dir", "/data")
    assert paas("storage:mount", "blog", volume, "--container-dir", "/data").status == 1
    paas("storage:unmount", "shop", volume)
    assert "another app" in paas("storage:mount", "blog", volume, "--container-dir", "/data").err
    paas("apps:destroy", "shop", "--force")
    assert paas("storage:mount", "blog", volume, "--container-dir", "/data").status == 0
    assert paas.scheduler.stored[volume][1] == paas.store.apps.get("blog").uid


def test_it_is_deleted_only_when_no_app_has_it(paas: Person, shop: App, volume: str) -> None:
    paas("storage:mount", "shop", volume, "--container-dir", "/data")
    refused = paas("storage:destroy", volume, "--force")
    assert (refused.status, "storage:unmount shop uploads" in refused.err) == (1, True)
    paas("storage:unmount", "shop", volume)
    assert paas("storage:destroy", volume, text_in="other\n").status == 1
    assert volume in paas.scheduler.stored
    assert paas("storage:destroy", volume, text_in=f"{volume}\n").status == 0
    assert (paas.scheduler.stored, paas.store.storage.list()) == ({}, ())


def test_it_is_not_deleted_under_a_process_that_still_sees_it(
    paas: Person, shop: App, volume: str
) -> None:
    paas("storage:mount", "shop", volume, "--container-dir", "/data")
    paas("ps:restart", "shop")
    paas("storage:unmount", "shop", volume)
    refused = paas("storage:destroy", volume, "--force")
    assert (refused.status, "ps:restart shop" in refused.err) == (1, True)
    assert volume in paas.scheduler.stored
    paas("ps:stop", "shop")
    assert paas("storage:destroy", volume, "--force").status == 0


def test_a_volume_that_stayed_behind_is_made_anew_as_it_was(
    paas: Person, shop: App, volume: str
) -> None:
    paas("storage:mount", "shop", volume, "--container-dir", "/data")
    assert paas("storage:create", volume).status == 1
    paas.scheduler.stored.clear()  # as backup:import finds it
    typed = paas("storage:create", volume)
    assert (typed.status, "64m" in typed.out) == (0, True)
    assert paas.scheduler.stored == {volume: (64 * MB, shop.uid)}
    assert mounts(paas) == (Mount(shop.id, volume, "/data"),)


def test_a_full_disk_leaves_no_volume(paas: Person) -> None:
    paas.scheduler.disk_is_full = True
    assert paas("storage:create", "uploads", "--size", "1g").status == 75
    assert paas("storage:list-entries", "--format", "json").out == "[]\n"
    paas.scheduler.disk_is_full = False
    assert paas("storage:create", "uploads", "--size", "1g").status == 0
    assert paas("storage:create", "uploads", "--size", "1g").status == 1


def test_others_volumes_are_not_seen_and_free_ones_are_handed_out_by_admins(
    paas: Person, shop: App, volume: str
) -> None:
    paas.user("ben", "owner", "shop")
    assert paas.typing("ben", "storage:create", "mine").status == 1
    assert paas.typing("ben", "storage:info", volume).status == 20
    there = paas.typing("ben", "storage:mount", "shop", volume, "--container-dir", "/d")
    none = paas.typing("ben", "storage:mount", "shop", "none", "--container-dir", "/d")
    assert (there.status, there.err.replace(volume, "none")) == (20, none.err)
    paas("storage:mount", "shop", volume, "--container-dir", "/data")
    info = json.loads(paas.typing("ben", "storage:info", volume, "--format", "json").out)
    assert (info["app"], info["size"], len(info["mounts"])) == ("shop", "64m", 1)
    assert paas.typing("ben", "storage:mount", "shop", volume, "--container-dir", "/d").status == 0
    assert paas.typing("ben", "storage:destroy", volume, "--force").status == 1
    paas.user("eve")
    assert paas.typing("eve", "storage:list-entries", "--format", "json").out == "[]\n"


@pytest.mark.parametrize(
    "words",
    [
        ("create", "../x"),
        ("create", "X"),
        ("create", "x", "--size", "1"),
        ("create", "x", "--size", "\u0661g"),
        ("mount", "shop", "/srv/none:/etc"),
        ("mount", "shop", "uploads"),
        ("mount", "shop", "uploads", "--container-dir", "/etc"),
        ("mount", "shop", "uploads", "--container-dir", "/proc/x"),
        ("mount", "shop", "uploads", "--container-dir", "/data/../etc"),
        ("mount", "shop", "uploads", "--container-dir", "data"),
        ("mount", "shop", "uploads", "--container-dir", "/"),
        ("mount", "shop", "uploads", "--container-dir", "/d", "--process-type", "X"),
    ],
)
def test_what_would_open_a_wall_is_refused(
    paas: Person, shop: App, volume: str, words: tuple[str, ...]
) -> None:
    typed = paas(f"storage:{words[0]}", *words[1:])
    assert (typed.status, len(typed.err.splitlines()) <= 2) == (2, True)
    assert paas.store.storage.mounts() == ()
