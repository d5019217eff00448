"""A platform moves: one file, a fresh instance, and the same apps answer there."""

import copy
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.instance import Instance, running
from tests.journeys.programs import Git
from tests.journeys.test_first_push import write_version

WAIT = 120.0


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    git = paas.app("shop")
    write_version(git, "one")
    git.push()
    write_version(git, "two")
    git.push()
    paas.paas("config:set", "shop", "GREETING=kept")
    return git


@pytest.fixture
def fresh() -> Iterator[Instance]:
    with running() as instance:
        yield instance


def until_it_answers(paas: Instance, text: str) -> float:
    started = time.monotonic()
    while not paas.curl("shop").stdout.startswith(text):
        assert time.monotonic() - started < WAIT, paas.paas("ps:report").stdout
        time.sleep(0.1)
    return time.monotonic() - started


def test_without_images_the_apps_are_built_again_on_the_new_host(
    paas: Instance, shop: Git, fresh: Instance, tmp_path: Path
) -> None:
    file = str(tmp_path / "paas.tar")
    paas.paas("backup:export", file)
    said = fresh.paas("backup:import", file).stderr
    assert "Apps are being started" in said
    took = until_it_answers(fresh, "two")
    print(f"built again and serving {took:.1f} s after the import")
    assert "kept" in fresh.paas("config:get", "shop", "GREETING").stdout
    assert fresh.paas("ps:report", "shop", "--ps-running").stdout == "true\n"
    host_key = Path("door") / "ssh_host_ed25519_key"
    assert (fresh.root / host_key).read_text() == (paas.root / host_key).read_text()


def test_with_images_the_same_ones_run_and_can_be_rolled_back_and_pushed_to(
    paas: Instance, shop: Git, fresh: Instance, tmp_path: Path
) -> None:
    file = tmp_path / "paas.tar"
    paas.paas("backup:export", "--images", str(file))
    print(f"{file.stat().st_size / 1e6:.0f} MB with images")
    fresh.paas("backup:import", str(file))
    took = until_it_answers(fresh, "two")
    print(f"serving {took:.1f} s after the import")
    assert "image was gone" not in fresh.paas("releases:list", "shop").stdout
    user = copy.copy(shop.ssh)  # the key came with the backup
    user.port = fresh.ssh_port
    assert user.run("releases:rollback", "shop", "v1").returncode == 0
    assert fresh.curl("shop").stdout.startswith("one")
    git = fresh.app("shop", user=user)
    git.git("fetch", "-q", "paas", "master")
    git.git("reset", "-q", "--hard", "FETCH_HEAD")
    write_version(git, "three")
    git.push()
    assert fresh.curl("shop").stdout.startswith("three")
    assert paas.curl("shop").stdout.startswith("two")


def test_an_instance_with_apps_takes_no_backup(paas: Instance, shop: Git, tmp_path: Path) -> None:
    file = str(tmp_path / "paas.tar")
    paas.paas("backup:export", file)
    done = paas.paas("backup:import", file, check=False)
    assert done.returncode == 1
    assert "has apps already" in done.stderr
    assert paas.curl("shop").stdout.startswith("two")
