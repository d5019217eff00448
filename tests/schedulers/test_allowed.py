"""Every field has one fixture that must be refused."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from paas.errors import StartFailed
from paas.schedulers.allowed import check_endpoint, check_settings
from paas.schedulers.profile import container_settings
from paas.volume import HostMount
from tests.schedulers.specs import ADDRESS, INSTANCE, make_settings, make_spec

HOST = "HostConfig"
ENDPOINTS = ("NetworkingConfig", "EndpointsConfig")
OWN = (*ENDPOINTS, f"{INSTANCE}-1")
ENDPOINT = {"IPAMConfig": {"IPv4Address": ADDRESS}}
OUTSIDE: list[tuple[tuple[str, ...], Any]] = [
    (("Image",), "shop:latest"),
    (("Entrypoint",), ["/bin/bash", "-c"]),
    (("Cmd",), ["one", "two"]),
    (("User",), "0:0"),
    (("User",), "root"),
    (("User",), "5"),
    (("Env",), ["A=\0"]),
    (("Labels",), {"paas.instance": INSTANCE}),
    (("Labels", "paas.instance"), "other"),
    (("Hostname",), "a.b"),
    (("Healthcheck",), {"Test": ["CMD", "x"]}),
    (("StopSignal",), "SIGKILL"),
    (("Tty",), True),
    (("OpenStdin",), True),
    (("ExposedPorts",), {"80/tcp": {}}),
    (("Volumes",), {"/data": {}}),
    (ENDPOINTS, {}),
    (ENDPOINTS, {"host": ENDPOINT}),
    ((*OWN, "IPAMConfig", "IPv4Address"), "10.9.0.1"),
    ((*OWN, "Links"), ["other"]),
    ((HOST, "NetworkMode"), "host"),
    ((HOST, "NetworkMode"), "other-1"),
    ((HOST, "Privileged"), True),
    ((HOST, "CapDrop"), []),
    ((HOST, "CapAdd"), ["NET_ADMIN"]),
    ((HOST, "SecurityOpt"), ["no-new-privileges:true", "seccomp=unconfined"]),
    ((HOST, "SecurityOpt"), []),
    ((HOST, "ReadonlyRootfs"), "no"),
    ((HOST, "Tmpfs", "/tmp"), "rw,exec"),
    ((HOST, "Tmpfs", "/tmp"), "rw,nosuid,nodev,exec,size=0,mode=1777,uid=5,gid=5"),
    ((HOST, "Tmpfs", "/proc/x"), "rw,nosuid,nodev,exec,size=1,mode=1777,uid=5,gid=5"),
    ((HOST, "Mounts"), [{"Type": "bind", "Source": "/", "Target": "/host"}]),
    ((HOST, "Binds"), ["/var/run/docker.sock:/s"]),
    ((HOST, "Memory"), 0),
    ((HOST, "MemorySwap"), -1),
    ((HOST, "MemorySwap"), 1024**3),
    ((HOST, "MemoryReservation"), 0),
    ((HOST, "OomScoreAdj"), -1000),
    ((HOST, "NanoCpus"), 0),
    ((HOST, "CpuShares"), 100_000),
    ((HOST, "PidsLimit"), -1),
    ((HOST, "ShmSize"), 1024**3),
    ((HOST, "Ulimits"), []),
    ((HOST, "Init"), False),
    ((HOST, "IpcMode"), "host"),
    ((HOST, "CgroupnsMode"), "host"),
    ((HOST, "PidMode"), "host"),
    ((HOST, "UTSMode"), "host"),
    ((HOST, "UsernsMode"), "host"),
    ((HOST, "Sysctls"), {"net.ipv4.ip_forward": "1"}),
    ((HOST, "RestartPolicy"), {"Name": "always", "MaximumRetryCount": 0}),
    ((HOST, "AutoRemove"), True),
    ((HOST, "LogConfig"), {"Type": "json-file", "Config": {}}),
    ((HOST, "Devices"), [{"PathOnHost": "/dev/sda"}]),
    ((HOST, "MaskedPaths"), []),
    ((HOST, "ReadonlyPaths"), []),
    ((HOST, "PortBindings"), {"80/tcp": [{"HostPort": "80"}]}),
    ((HOST, "PublishAllPorts"), True),
    ((HOST, "VolumesFrom"), ["other"]),
    ((HOST, "CgroupParent"), "/"),
    ((HOST, "Runtime"), "other"),
    ((HOST, "GroupAdd"), ["0"]),
]  # fmt: skip


def made() -> dict[str, Any]:
    return copy.deepcopy(container_settings(make_spec(), make_settings(), with_ca=True))


def test_what_the_profile_builds_is_allowed() -> None:
    check_settings(made(), make_settings())
    plain = container_settings(make_spec(None, volumes=("/data",)), make_settings(), with_ca=False)
    check_settings(plain, make_settings())


def _called(value: object) -> str:
    """Return a name for a test that is the same in each process that runs some of them."""
    return str(value).replace(INSTANCE, "own")


@pytest.mark.parametrize(
    ("path", "value"),
    OUTSIDE,
    ids=lambda x: _called(".".join(x))[-40:] if isinstance(x, tuple) else _called(x)[:20],
)
def test_a_value_outside_the_list_is_refused(path: tuple[str, ...], value: object) -> None:
    settings = made()
    place = settings
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(StartFailed, match="outside the hardened profile"):
        check_settings(settings, make_settings())


@pytest.mark.parametrize("field", sorted(made()["HostConfig"]))
def test_no_wall_may_be_left_out(field: str) -> None:
    settings = made()
    del settings["HostConfig"][field]
    with pytest.raises(StartFailed, match=field):
        check_settings(settings, make_settings())


def test_every_field_has_a_fixture_that_is_refused() -> None:
    settings = made()
    wanted = {(HOST, name) for name in settings[HOST]} | {(n,) for n in settings if n != HOST}
    covered = {path[:2] if path[0] == HOST else path[:1] for path, _ in OUTSIDE}
    assert wanted <= covered


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("host", {"Aliases": []}),
        (f"{INSTANCE}-1", {"Aliases": []}),
        ("other-net-backend", {"Aliases": []}),
        (f"{INSTANCE}-net-backend", {"Aliases": ["localhost"]}),
        (f"{INSTANCE}-net-backend", {"Aliases": ["shop.web"], "Links": ["other"]}),
        (f"{INSTANCE}-net-backend", {"Aliases": [], "IPAMConfig": {"IPv4Address": "10.9.0.1"}}),
        (f"{INSTANCE}-net-backend", {"Aliases": [], "IPAMConfig": {"LinkLocalIPs": []}}),
    ],
    ids=_called,
)
def test_another_place_on_a_network_is_refused(name: str, config: dict[str, Any]) -> None:
    fine = {"Aliases": ["shop.web", "shop.web.1"], "IPAMConfig": {"IPv4Address": ADDRESS}}
    check_endpoint(f"{INSTANCE}-net-backend", fine, make_settings())
    with pytest.raises(StartFailed):
        check_endpoint(name, config, make_settings())


@pytest.mark.parametrize("path", ["/etc", "/srv/database", "/srv/data/../../etc"])
def test_only_opened_folders_of_the_host_are_mounted(path: str) -> None:
    settings = replace(make_settings(), storage_paths="/srv/data")
    spec = replace(make_spec(), host_mounts=(HostMount(1, "/srv/data/shop", "/data"),))
    config = container_settings(spec, settings, with_ca=False)
    check_settings(config, settings)
    with pytest.raises(StartFailed):
        check_settings(config, make_settings())
    config[HOST]["Mounts"][0]["Source"] = path
    with pytest.raises(StartFailed):
        check_settings(config, settings)
