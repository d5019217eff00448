"""Volumes on a real host: the quota holds, files stay, and a reboot is mended."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from paas.errors import Conflict, DiskFull, StartFailed
from paas.schedulers import volumes
from paas.schedulers.base import ProcessSpec, Resources
from paas.schedulers.docker_local import DockerLocal
from paas.schedulers.user_map import user_map
from paas.settings import MB, Settings
from paas.volume import HostMount, Mount
from tests.schedulers.conftest import Prison
from tests.schedulers.specs import APP

pytestmark = pytest.mark.engine


@pytest.fixture
def settings(prison: Prison, tmp_path: Path) -> Iterator[Settings]:
    made = replace(prison.scheduler._settings, root=tmp_path, disk_reserve=0)
    yield made
    for image in volumes.folder(made).glob("*.img"):
        volumes.remove(made, image.stem)


@pytest.fixture
def scheduler(settings: Settings) -> Iterator[DockerLocal]:
    made = DockerLocal(settings)
    made.make_volume("data", 32 * MB)
    made.give_volume("data", APP)
    yield made
    made.destroy(APP)
    made.close()


def spec(prison: Prison, command: str, **mount: object) -> ProcessSpec:
    wanted = Mount(APP.id, "data", "/data", **mount)  # type: ignore[arg-type] # of each field's type
    return replace(prison.spec(command), mounts=(wanted,))


def run(scheduler: DockerLocal, what: ProcessSpec) -> tuple[int, str]:
    said: list[bytes] = []
    ended = scheduler.run_once(what, said.append, 60)
    return ended.status, b"".join(said).decode(errors="replace")


def unmount(settings: Settings) -> None:
    """Do what a reboot does."""
    subprocess.run(["umount", str(volumes.folder(settings) / "data")], check=True, timeout=30)


def test_what_does_not_fit_is_refused_and_the_host_loses_nothing(
    scheduler: DockerLocal, prison: Prison, settings: Settings
) -> None:
    image = volumes.folder(settings) / "data.img"
    before = image.stat().st_blocks
    assert before * 512 >= 32 * MB
    status, said = run(scheduler, spec(prison, "head -c 64m /dev/zero > /data/fill"))
    assert (status != 0, "No space left on device" in said) == (True, True)
    used, usable = scheduler.volume_usage("data")
    assert (used / usable > 0.95, usable < 32 * MB) == (True, True)
    assert image.stat().st_blocks - before < 1000
    assert run(scheduler, spec(prison, "rm /data/fill && echo 1 > /data/small"))[0] == 0


def test_files_stay_are_the_app_s_and_can_be_read_only(
    scheduler: DockerLocal, prison: Prison
) -> None:
    assert run(scheduler, spec(prison, "echo mine > /data/a && stat -c %u /data/a")) == (
        0,
        f"{APP.uid}\n",
    )
    status, said = run(scheduler, spec(prison, "cat /data/a; echo x > /data/b", is_readonly=True))
    assert (status != 0, "mine" in said, "Read-only file system" in said) == (True, True, True)
    assert run(scheduler, prison.spec("ls /data"))[1] == ""


def test_a_reboot_is_mended_at_boot_and_before_each_start(
    scheduler: DockerLocal, prison: Prison, settings: Settings
) -> None:
    run(scheduler, spec(prison, "echo mine > /data/a"))
    unmount(settings)
    assert scheduler.volume_usage("data") == (0, 0)
    assert volumes.attach_all(settings) == []
    assert run(scheduler, spec(prison, "cat /data/a")) == (0, "mine\n")
    unmount(settings)
    assert run(scheduler, spec(prison, "cat /data/a")) == (0, "mine\n")
    volumes.attach(settings, "data")
    assert (
        len([m for m in Path("/proc/mounts").read_text().splitlines() if str(settings.root) in m])
        == 1
    )


def test_another_app_gets_all_files_and_no_link_leads_out(
    scheduler: DockerLocal, prison: Prison, settings: Settings, tmp_path: Path
) -> None:
    run(scheduler, spec(prison, f"mkdir /data/d; echo 1 > /data/d/f; ln -s {tmp_path} /data/l"))
    scheduler.give_volume("data", replace(APP, id=2))
    data = volumes.data_folder(settings, "data")
    with closing(docker.APIClient(settings.engine)) as engine:
        owner = user_map(engine.info()).uid + APP.uid + 1
    assert {path.lstat().st_uid for path in [data, *data.rglob("*")]} == {owner}
    assert tmp_path.stat().st_uid == 0


def test_a_volume_that_does_not_fit_leaves_nothing(settings: Settings) -> None:
    poor = replace(settings, disk_reserve=2**60)
    with pytest.raises(DiskFull):
        volumes.make(poor, "big", 10**15)
    assert list(volumes.folder(settings).iterdir()) == []


def test_a_volume_that_is_missing_starts_nothing(scheduler: DockerLocal, prison: Prison) -> None:
    scheduler.remove_volume("data")
    with pytest.raises(StartFailed, match="not on this host"):
        scheduler.start(spec(prison, "exec sleep 600"))
    assert scheduler.containers() == ()


def test_a_volume_that_is_there_is_not_made_over(
    scheduler: DockerLocal, prison: Prison, settings: Settings
) -> None:
    run(scheduler, spec(prison, "echo kept > /data/file"))
    with pytest.raises(Conflict):
        scheduler.make_volume("data", 32 * MB)
    assert run(scheduler, spec(prison, "cat /data/file")) == (0, "kept\n")


def test_a_volume_is_not_deleted_under_a_process(
    scheduler: DockerLocal, prison: Prison, settings: Settings
) -> None:
    container = scheduler.start(spec(prison, "exec sleep 600"))
    with pytest.raises(Conflict, match="still sees"):
        scheduler.remove_volume("data")
    scheduler.stop([container], 1)
    scheduler.remove_volume("data")
    assert list(volumes.folder(settings).glob("*.img")) == []


def test_an_opened_folder_of_the_host_is_seen(
    scheduler: DockerLocal, prison: Prison, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv" / "file").write_text("hello\n")
    tmp_path.chmod(0o711)
    opened = DockerLocal(replace(settings, storage_paths=str(tmp_path / "srv")))
    wanted = HostMount(APP.id, str(tmp_path / "srv"), "/data", is_readonly=True)
    asked = replace(prison.spec("cat /data/file; echo x > /data/new"), host_mounts=(wanted,))
    status, text = run(opened, asked)
    opened.close()
    assert (status != 0, "hello" in text, "Read-only file system" in text) == (True, True, True)


def test_limits_reach_the_engine(scheduler: DockerLocal, prison: Prison) -> None:
    limits = Resources(0.25, 96 * MB, 32 * MB)
    made = scheduler.start(replace(prison.spec("exec sleep 600"), resources=limits))
    host = scheduler._engine.api.inspect_container(made)["HostConfig"]
    assert (host["NanoCpus"], host["Memory"]) == (250_000_000, 96 * MB)
    assert (host["MemoryReservation"], host["MemorySwap"]) == (32 * MB, 96 * MB)
    scheduler.stop([made], 0)
