import json
from typing import Any

import pytest

from paas.errors import StartFailed
from paas.model import SecurityOptions
from paas.schedulers.profile import container_name, container_settings, seccomp_profile
from tests.schedulers.specs import INSTANCE, make_settings, make_spec

MB = 1024 * 1024


def made(with_ca: bool = False, **parts: Any) -> dict[str, Any]:
    return container_settings(make_spec(**parts), make_settings(), with_ca=with_ca)


def environment(**parts: Any) -> dict[str, str]:
    return dict(line.split("=", 1) for line in made(**parts)["Env"])


def test_the_name_tells_instance_app_process_and_deploy() -> None:
    assert container_name(make_spec(), make_settings()) == f"{INSTANCE}-shop.web.1.7"


def test_the_profile_is_the_hardened_one() -> None:
    host = made()["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["ReadonlyRootfs"] is True
    assert host["Memory"] == host["MemorySwap"] == 512 * MB
    assert (host["PidsLimit"], host["Init"], host["IpcMode"]) == (256, True, "private")
    assert host["SecurityOpt"][0] == "no-new-privileges:true"
    assert host["RestartPolicy"]["Name"] == "no"


def test_it_runs_as_the_apps_own_number() -> None:
    assert made()["User"] == "200001:200001"
    assert made(options=SecurityOptions(run_as=33))["User"] == "33:33"


def test_it_never_runs_as_root() -> None:
    with pytest.raises(StartFailed, match="as root"):
        made(options=SecurityOptions(run_as=0))


def test_a_command_line_goes_through_the_shell_and_replaces_the_entrypoint() -> None:
    settings = made(command="a && b $PORT")
    assert settings["Entrypoint"] == ["/bin/sh", "-c"]
    assert settings["Cmd"] == ["trap 'exit 143' TERM\na && b $PORT"]


def test_without_a_command_the_image_decides() -> None:
    assert not {"Entrypoint", "Cmd"} & made(command=None).keys()


def test_our_variables_win_over_config_and_config_over_the_ca_bundle() -> None:
    config = {"PORT": "1", "HOME": "/x", "SECRET": "a=b\nc", "SSL_CERT_FILE": "/own.crt"}
    env = environment(config=config, with_ca=True)
    assert (env["PORT"], env["HOME"], env["TMPDIR"]) == ("5000", "/tmp", "/tmp")
    assert (env["DYNO"], env["PAAS_APP"], env["SECRET"]) == ("web.1", "shop", "a=b\nc")
    assert (env["SSL_CERT_FILE"], env["PIP_CERT"]) == ("/own.crt", "/etc/paas-ca.crt")


def test_without_a_ca_bundle_nothing_is_mounted_and_no_variable_points_to_it() -> None:
    assert made()["HostConfig"]["Mounts"] == []
    assert "SSL_CERT_FILE" not in environment()


def test_every_tmpfs_is_sized_and_owned_by_the_apps_user() -> None:
    options = SecurityOptions(tmpfs={"/app/cache": 8 * MB}, tmp_size=32 * MB)
    mounts = made(options=options, volumes=("/data/",))["HostConfig"]["Tmpfs"]
    assert set(mounts) == {"/tmp", "/var/tmp", "/run", "/data", "/app/cache"}
    assert f"size={32 * MB}," in mounts["/tmp"]
    assert f"size={8 * MB}," in mounts["/app/cache"]
    assert all("uid=200001,gid=200001" in line for line in mounts.values())


@pytest.mark.parametrize("path", ["/", "/etc", "/proc/x", "/sys", "/dev/shm", "data", "/a/../proc"])
def test_a_volume_that_no_tmpfs_can_cover_is_refused(path: str) -> None:
    with pytest.raises(StartFailed, match="No tmpfs can cover"):
        made(volumes=(path,))


def test_a_tmpfs_larger_than_the_memory_limit_is_refused() -> None:
    with pytest.raises(StartFailed, match="does not fit") as caught:
        made(options=SecurityOptions(tmp_size=600 * MB))
    assert caught.value.hint == "Run: security:set shop memory 1200m"


def test_no_app_may_ask_for_many_tmpfs() -> None:
    with pytest.raises(StartFailed, match="At most 4"):
        made(options=SecurityOptions(tmpfs={f"/x/{n}": MB for n in range(5)}))


def test_all_our_labels_are_set_so_that_none_is_inherited() -> None:
    labels = made()["Labels"]
    assert labels["paas.instance"] == INSTANCE
    assert labels["paas.app-id"] == "1"
    assert len(labels) == 6


def test_the_filter_denies_by_default_and_names_no_dangerous_call() -> None:
    profile = json.loads(seccomp_profile())
    allowed = {
        name
        for rule in profile["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule
        for name in rule["names"]
    }
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {"read", "futex", "execve", "openat", "epoll_wait"} <= allowed
    dangerous = {"io_uring_setup", "bpf", "mount", "unshare", "setns", "keyctl", "userfaultfd"}
    assert not allowed & (
        dangerous | {"clone", "clone3", "socket", "kexec_load", "open_by_handle_at"}
    )
