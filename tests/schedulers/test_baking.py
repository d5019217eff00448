"""What stays of a command in the image, what does not, and what the command may not."""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from docker.errors import NotFound

from paas.errors import DiskFull, StartFailed
from paas.schedulers import baking
from paas.schedulers.baking import Oven, baking_settings, check_baking
from paas.schedulers.profile import container_settings
from tests.schedulers.conftest import Prison
from tests.schedulers.specs import APP, make_settings, make_spec

PLAIN_IMAGE: dict[str, Any] = {"User": "", "Env": ["PATH=/bin"], "Entrypoint": [], "Cmd": []}
OUTSIDE: list[tuple[str, Any]] = [
    ("User", "5:5"),
    ("Entrypoint", ["/bin/sh", "-c", "id"]),
    ("Labels", {}),
    ("Env", ["A=b"]),
    ("Cmd", ["id"]),
    ("Healthcheck", {"Test": ["CMD", "id"]}),
    ("OpenStdin", "yes"),
    ("Volumes", {"/data": {}}),
]
HOST: list[tuple[str, Any]] = [
    ("CapAdd", ["DAC_OVERRIDE"]),
    ("CapDrop", []),
    ("SecurityOpt", []),
    ("NetworkMode", "host"),
    ("Privileged", True),
    ("ReadonlyRootfs", True),
    ("Memory", 0),
    ("Mounts", [{"Type": "bind", "Source": "/", "Target": "/host"}]),
    ("Tmpfs", {}),
]


def plain() -> dict[str, Any]:
    return container_settings(make_spec(), make_settings(), with_ca=False)


def built(image: dict[str, Any] | None = None) -> dict[str, Any]:
    return copy.deepcopy(baking_settings(plain(), image or PLAIN_IMAGE, make_settings()))


@pytest.mark.parametrize("user", ["", "nobody"])
@pytest.mark.parametrize("health", [None, {"Test": ["CMD", "x"]}])
def test_what_is_built_passes_the_validator(user: str, health: dict[str, Any] | None) -> None:
    config = built({**PLAIN_IMAGE, "User": user, "Healthcheck": health})
    check_baking(config, plain(), make_settings())
    assert config["User"] in {"", "0:0"}
    assert "Env" not in config


@pytest.mark.parametrize(("key", "value"), OUTSIDE)
def test_any_other_setting_is_refused(key: str, value: object) -> None:
    with pytest.raises(StartFailed, match="outside the hardened profile"):
        check_baking({**built(), key: value}, plain(), make_settings())


@pytest.mark.parametrize(("key", "value"), HOST)
def test_any_other_wall_is_refused(key: str, value: object) -> None:
    config = built()
    config["HostConfig"][key] = value
    with pytest.raises(StartFailed, match="outside the hardened profile"):
        check_baking(config, plain(), make_settings())


@dataclass
class Bakery:
    """Bakes commands in images of a real engine; what it made goes at the end."""

    prison: Prison
    images: list[str] = field(default_factory=list)

    def bake(self, command: str, image: str = "", timeout: float = 60) -> tuple[int, str]:
        spec = self.prison.spec(command)
        spec = replace(spec, image=image or spec.image, config={"SECRET": "hunter2hunter2"})
        output: list[bytes] = []
        ended = self.prison.scheduler.bake(spec, output.append, timeout, self.images.append)
        return ended.status, b"".join(output).decode()

    def read(self, command: str) -> str:
        spec = replace(self.prison.spec(command), image=self.images[-1])
        return self.prison.run_command(spec)[1]

    def inspect(self, image: str) -> dict[str, Any]:
        return dict(self.engine.inspect_image(image))

    @property
    def engine(self) -> Any:
        return self.prison.scheduler._engine.api


@pytest.fixture
def bakery(prison: Prison) -> Iterator[Bakery]:
    made = Bakery(prison)
    yield made
    for image in reversed(made.images):
        with contextlib.suppress(NotFound):
            made.engine.remove_image(image)


@pytest.mark.engine
def test_files_stay_and_are_readable_by_the_app(bakery: Bakery) -> None:
    command = "mkdir /srv/public && echo $SECRET | wc -c > /srv/public/a; rm /id-as-root; id -u"
    assert bakery.bake(command) == (0, "0\n")
    assert bakery.read("cat /srv/public/a; ls /id-as-root 2>&1 || id -u").startswith("15\n")
    listed = bakery.read("stat -c '%u %a' /srv/public /srv/public/a; ls /")
    assert listed.startswith("0 755\n0 644\n")
    assert "id-as-root" not in listed


@pytest.mark.engine
def test_what_the_image_says_of_itself_stays_and_no_config_comes_in(bakery: Bakery) -> None:
    bakery.bake("touch /a")
    before, after = bakery.inspect(bakery.prison.image), bakery.inspect(bakery.images[0])
    assert "hunter2" not in str(after)
    assert _said(after["Config"]) == _said(before["Config"])
    assert len(after["RootFS"]["Layers"]) == len(before["RootFS"]["Layers"]) + 1
    assert after["RepoTags"] == []


def _said(config: dict[str, Any]) -> dict[str, Any]:
    """Nothing, an empty list and an empty text are the same."""
    return {key: value for key, value in config.items() if value and key != "Image"}


@pytest.mark.engine
@pytest.mark.parametrize("changes", ["USER nobody", "USER root\nENTRYPOINT []\nCMD []", "CMD x"])
def test_an_image_of_any_kind_keeps_its_words(bakery: Bakery, changes: str) -> None:
    bakery.bake("touch /a")
    made = bakery.engine.create_container(bakery.images[0], ["x"], host_config={})
    image = bakery.engine.commit(made["Id"], changes=changes)["Id"]
    bakery.engine.remove_container(made["Id"], v=True)
    bakery.images.append(image)
    assert bakery.bake("touch /b; id -u", image) == (0, "0\n")
    before, after = bakery.inspect(image), bakery.inspect(bakery.images[-1])
    assert _said(after["Config"]) == _said(before["Config"])


@pytest.mark.engine
def test_the_walls_stand_but_for_the_root(bakery: Bakery) -> None:
    command = (
        "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t';"
        " chown 5 /etc/hostname 2>/dev/null || echo no chown;"
        " mount -t tmpfs x /mnt 2>/dev/null || echo no mount;"
        " touch /sys/x /proc/sys/x 2>/dev/null || echo no kernel; echo x > /tmp/x && echo tmp"
    )
    status, said = bakery.bake(command)
    assert status == 0
    assert "CapEff:0000000000000000\n" in said
    assert "CapBnd:0000000000000000\n" in said
    assert "NoNewPrivs:1\n" in said
    assert "Seccomp:2\n" in said
    assert said.endswith("no chown\nno mount\nno kernel\ntmp\n")
    assert bakery.read("ls /tmp /run") == "/run:\n\n/tmp:\n"


@pytest.mark.engine
@pytest.mark.parametrize("command", ["touch /a; exit 3", "touch /a; sleep 600"])
def test_what_fails_or_hangs_leaves_nothing(bakery: Bakery, command: str) -> None:
    before = _all_images(bakery)
    with contextlib.suppress(StartFailed):
        assert bakery.bake(command, timeout=2)[0] == 3
    assert bakery.images == []
    assert bakery.prison.scheduler.containers() == ()
    assert _of_ours(bakery, before) == set()


@pytest.mark.engine
def test_an_image_that_is_not_taken_is_gone(bakery: Bakery) -> None:
    seen: list[str] = []

    def refuse(image: str) -> None:
        seen.append(image)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bakery.prison.scheduler.bake(bakery.prison.spec("true"), lambda _: None, 60, refuse)
    with pytest.raises(NotFound):
        bakery.inspect(seen[0])
    assert bakery.prison.scheduler.containers() == ()


@pytest.mark.engine
def test_a_command_that_fills_the_disk_is_ended(
    bakery: Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baking, "is_short", lambda _settings, _data: True)
    with pytest.raises(DiskFull, match="disk is nearly full"):
        bakery.bake("touch /a; sleep 600")
    assert bakery.images == []
    assert bakery.prison.scheduler.containers() == ()


@pytest.mark.engine
def test_a_container_that_a_crash_left_goes_with_the_app(bakery: Bakery) -> None:
    scheduler = bakery.prison.scheduler
    oven = Oven(scheduler._engine, make_settings(), bakery.prison.spec("true"))
    scheduler.create_network(APP)
    scheduler._create(oven.spec, oven.config)
    assert len(scheduler.containers()) == 1
    scheduler.destroy(APP)
    assert scheduler.containers() == ()


def _all_images(bakery: Bakery) -> set[str]:
    return {image["Id"] for image in bakery.engine.images(all=True)}


def _of_ours(bakery: Bakery, before: set[str]) -> set[str]:
    """New images below the one that was baked; other suites make images too."""
    new = _all_images(bakery) - before
    return {each for each in new if _parent(bakery, each) == bakery.prison.image}


def _parent(bakery: Bakery, image: str) -> str:
    """Return the image below this one; "" if another suite has removed it by now."""
    with contextlib.suppress(NotFound):
        return str(bakery.inspect(image)["Parent"])
    return ""
