"""A Debian 12 machine on which nobody ever installed anything, and one command."""

import contextlib
import re
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound
from docker.types import Mount

from paas.build.rootfs import RootFs, make_image
from paas.settings import Settings
from tests.nested_engine import capabilities_here

pytestmark = pytest.mark.timeout(900)
CHECKOUT = Path(__file__).parent.parent.parent
MACHINE = "paas-test/machine:bookworm"
PATIENCE = 800
# What is typed, by the name under which the tests find its output. The engine mounts cgroups
# read-only in a container that is not privileged; a nested one writes there.
TYPED = {
    "boot": 'for c in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,rw,bind "$c"; done 2>&-',
    "refused": "useradd -s /bin/bash paas && /src/bootstrap.sh",
    "given up": "/src/bootstrap.sh uninstall && userdel paas && ls -d /opt/paas /var/lib/paas",
    "first": "/src/bootstrap.sh",
    "second": "/src/bootstrap.sh",
    "apps": "paas apps:list",
    "stranger": "curl -sS -H 'Host: stranger.example' http://127.0.0.1/",
    "other port": "/src/bootstrap.sh --http-port 8080 && curl -sS http://hello.paas.localhost:8080",
    "daemon gone": "paas stop && curl -sS http://hello.paas.localhost:8080",
    "restore": "/opt/paas/venv/bin/python -I -m paas.setup.restore",
    "nginx taken": "nginx -s stop; sleep 1; chmod -x /usr/sbin/nginx; /src/bootstrap.sh",
}


@pytest.fixture(scope="module")
def said() -> dict[str, tuple[int, str]]:
    """Type everything, one after the other, on a machine of its own: exit status and output."""
    script = "\n".join(f'({c}) </dev/null 2>&1; echo "\n== {n} $?"' for n, c in TYPED.items())
    text = run_machine(script)
    parts = re.split(r"^== (.+) (\d+)$", text, flags=re.MULTILINE)
    outputs, names, statuses = parts[0::3], parts[1::3], parts[2::3]
    return {n: (int(s), o) for n, s, o in zip(names, statuses, outputs, strict=False)}


def run_machine(script: str) -> str:
    """Run a shell script on a fresh machine; return all it wrote."""
    with contextlib.closing(docker.APIClient(timeout=PATIENCE)) as engine:
        _ensure_image(engine)
        machine = str(
            engine.create_container(
                MACHINE, ["/bin/sh", "-c", script], hostname="fresh", host_config=_host(engine)
            )["Id"]
        )
        try:
            engine.start(machine)
            engine.wait(machine)
            return engine.logs(machine).decode(errors="replace")
        finally:
            engine.remove_container(machine, v=True, force=True)


def _ensure_image(engine: docker.APIClient) -> None:
    """Make the machine: Debian 12 with nothing but apt and the network's certificates."""
    with contextlib.suppress(ImageNotFound):
        engine.inspect_image(MACHINE)  # type: ignore[no-untyped-call] # docker's stubs
        return
    packages = ("ca-certificates",)
    make_image(Settings(suite="bookworm"), RootFs(MACHINE, "test-machine", packages), None, print)


def _host(engine: docker.APIClient) -> dict[str, object]:
    config = engine.create_host_config(
        cap_add=capabilities_here(),
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        tmpfs={"/run": "exec"},
        mounts=[
            Mount("/var/lib/docker", None, type="volume"),
            Mount("/var/tmp", None, type="volume"),
            Mount("/src", str(CHECKOUT), type="bind", read_only=True),
        ],
    )
    return {**config, "MaskedPaths": [], "ReadonlyPaths": [], "CgroupnsMode": "private"}


def test_who_cannot_set_up_learns_why_and_can_leave(said: dict[str, tuple[int, str]]) -> None:
    status, text = said["refused"]
    assert status != 0
    assert "paas was there before paas" in text
    assert "paas is gone from this host" in said["given up"][1], said["given up"][1]
    assert said["given up"][1].count("No such file or directory") == 2


def test_one_command_makes_the_demo_answer(said: dict[str, tuple[int, str]]) -> None:
    status, text = said["first"]
    assert status == 0, text
    assert "Hello from your own Heroku!" in text
    assert "git remote add paas ssh://paas@localhost:2222/myapp" in text


def test_a_second_run_changes_nothing(said: dict[str, tuple[int, str]]) -> None:
    status, text = said["second"]
    assert status == 0, text
    assert "Everything up-to-date" in text
    assert not re.search(r"made|added|wrote|removed|loaded", text)


def test_the_command_is_on_the_path_and_knows_the_app(said: dict[str, tuple[int, str]]) -> None:
    assert said["apps"][0] == 0
    assert "hello" in said["apps"][1]


def test_a_stranger_s_host_name_reaches_no_app(said: dict[str, tuple[int, str]]) -> None:
    assert "Hello" not in said["stranger"][1]
    assert "nginx" not in said["stranger"][1]  # Debian's placeholder page


def test_another_port_is_taken_by_running_it_again(said: dict[str, tuple[int, str]]) -> None:
    status, text = said["other port"]
    assert status == 0, text
    assert text.rstrip().endswith("Hello from your own Heroku!")


def test_apps_answer_while_the_daemon_is_stopped(said: dict[str, tuple[int, str]]) -> None:
    assert "Hello from your own Heroku!" in said["daemon gone"][1]


def test_firewall_and_routes_come_back_without_the_daemon(
    said: dict[str, tuple[int, str]],
) -> None:
    assert said["restore"][0] == 0, said["restore"][1]


def test_a_failure_names_the_step_and_where_to_look(said: dict[str, tuple[int, str]]) -> None:
    status, text = said["nginx taken"]
    assert status != 0
    assert re.search(r"^ !     nginx failed", text, re.MULTILINE), text
    assert "/var/log/paas-install.log" in text
