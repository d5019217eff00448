"""A host with a kernel of its own, cgroup v2, the systemd driver and AppArmor.

`just fresh-host-vm` runs it in QEMU. The tests of one machine follow each other.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hosts.machine import CHECKOUT
from tests.hosts.test_fresh_host import ASK, HELLO, TRACES
from tests.hosts.virtual import VirtualMachine, virtual

pytestmark = pytest.mark.timeout(7200)
SUITES = ("bookworm", "trixie")
WAIT = 600.0
MB = 1024 * 1024
WALLS = "tests/schedulers/test_walls_hold.py"
SSH = "ssh -F none -i /var/lib/paas/demo/key -o StrictHostKeyChecking=no -o LogLevel=ERROR"
# Tells of each HOST:PORT whether an app may reach it.
CONNECT = """import socket, sys
for place in sys.argv[1:]:
    host, _, port = place.partition(":")
    try:
        socket.create_connection((host, int(port)), 20)
        print(place, "open")
    except OSError:
        print(place, "shut")"""
# A build step that goes over its limit, and a process that does.
HOG = "FROM paas/stack\nRUN python3 -c 'print(len(b\"x\" * (3 << 30)))'\n"
GREEDY = "web: python3 -c 'print(len(b\"x\" * (1 << 30)))'\n"


@pytest.fixture(scope="module", params=SUITES)
def host(request: pytest.FixtureRequest) -> Iterator[VirtualMachine]:
    with virtual(request.param) as machine:
        machine.put("/src", "HEAD")
        yield machine


def until_it_answers(host: VirtualMachine) -> float:
    """Return the seconds until the demo app answers; nobody types anything meanwhile."""
    started = time.monotonic()
    while HELLO not in host.run(ASK)[1]:
        assert time.monotonic() - started < WAIT, host.run("journalctl -n 200 --no-pager")[1]
        time.sleep(1)
    return time.monotonic() - started


def look_at(host: VirtualMachine, app: str) -> dict[str, Any]:
    """Return what the engine knows of an app's first process."""
    (found,) = json.loads(host.type(f"paas ps:inspect {app} web.1"))
    return dict(found)


def group_of(host: VirtualMachine, app: str) -> str:
    """Return the folder of the cgroup in which an app's first process is."""
    pid = look_at(host, app)["State"]["Pid"]
    return "/sys/fs/cgroup" + host.type(f"cut -d: -f3 /proc/{pid}/cgroup").strip()


def push(host: VirtualMachine, app: str, fill: str) -> tuple[int, str]:
    """Push a folder that a command fills; return git's exit status and what the pusher sees."""
    host.type(f"mkdir /root/{app} && cd /root/{app} && {fill} && git init -q -b master")
    host.type(f"cd /root/{app} && git add -A && git -c user.name=t -c user.email=t@t commit -qm 1")
    address = f"ssh://paas@127.0.0.1:2222/{app}"
    return host.run(f"cd /root/{app} && GIT_SSH_COMMAND='{SSH}' git push {address} master")


def test_the_readme_s_first_command_makes_the_demo_answer(host: VirtualMachine) -> None:
    started = time.monotonic()
    assert HELLO in host.type("/src/bootstrap.sh")
    print(f"the demo answers after {time.monotonic() - started:.0f} s")


def test_the_host_has_what_this_is_about(host: VirtualMachine) -> None:
    info = json.loads(host.type("curl -sS --unix-socket /run/docker.sock http://engine/info"))
    assert (info["CgroupVersion"], info["CgroupDriver"]) == ("2", "systemd")
    assert "name=apparmor" in info["SecurityOptions"]
    assert host.type("cat /sys/module/apparmor/parameters/enabled") == "Y\n"
    print(f"kernel {info['KernelVersion']}, engine {info['ServerVersion']}")


def test_doctor_is_content_with_cgroups_and_apparmor(host: VirtualMachine) -> None:
    status, text = host.run("paas doctor --format json")
    print(text)
    found = {each["check"]: each for each in json.loads(text)}
    assert status == 0
    assert found["cgroups"]["message"] == "cgroup version 2"
    assert found["security module"]["message"] == "apparmor confines containers"
    assert found["build limits"]["message"] == "Each build step has 2048 MB"


def test_an_app_is_confined_by_apparmor_and_our_filter(host: VirtualMachine) -> None:
    seen = look_at(host, "hello")
    assert seen["AppArmorProfile"] == "docker-default"
    assert "seccomp=(of paas)" in seen["HostConfig"]["SecurityOpt"]
    pid = seen["State"]["Pid"]
    assert host.type(f"cat /proc/{pid}/attr/current") == "docker-default (enforce)\n"
    status = host.type(f"cat /proc/{pid}/status")
    assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)
    assert re.search(r"^CapBnd:\t0+$", status, re.MULTILINE)


def test_an_app_s_limits_stand_in_its_cgroup(host: VirtualMachine) -> None:
    group = group_of(host, "hello")
    assert re.fullmatch(r"/sys/fs/cgroup/system.slice/docker-[0-9a-f]{64}.scope", group)
    limits = host.type(f"cd {group} && cat memory.max memory.swap.max pids.max cpu.max").split()
    assert limits == [str(512 * MB), "0", "256", "100000", "100000"]


def test_figures_are_those_of_the_kernel(host: VirtualMachine) -> None:
    host.type(ASK)
    (row,) = json.loads(host.type("paas ps:stats hello --format json"))
    print(row)
    group = group_of(host, "hello")
    now = int(host.type(f"cat {group}/memory.current")) / MB
    assert 1 < row["memory_mb"] <= now + 8
    assert row["memory_limit_mb"] == 512
    assert row["pids"] == int(host.type(f"cat {group}/pids.current"))


def test_the_walls_hold(host: VirtualMachine) -> None:
    """The attacks of this machine's own tests, on the engine in there."""
    with host.engine() as address:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", WALLS],
            cwd=CHECKOUT, env=os.environ | {"PAAS_TEST_ENGINES": address}, timeout=3600,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    print(done.stdout[-3000:])
    assert done.returncode == 0


def test_an_app_out_of_memory_is_recognised(host: VirtualMachine) -> None:
    fill = f"touch requirements.txt && cat > Procfile <<'END'\n{GREEDY}END\n true"
    status, text = push(host, "greedy", fill)
    assert status != 0
    assert "out of memory (limit 512 MB)" in text
    assert "resource:limit --process-type web --memory 1024m greedy" in text
    text = host.type("paas run hello tail /dev/zero 2>&1; echo status $?")
    assert "it was out of memory (limit 512 MB)" in text
    assert "status 137" in text


def test_the_firewall_stands_between_an_app_and_the_host(host: VirtualMachine) -> None:
    own = host.type("ip -4 -o addr show scope global | grep -o '10.0.2.[0-9]*' | head -n 1").strip()
    places = f"{own}:22 {own}:2222 {own}:80 169.254.169.254:80 10.0.2.2:22"
    host.type(f"cat > /root/connect.py <<'END'\n{CONNECT}\nEND")
    text = host.type(f"paas run hello python3 - {places} < /root/connect.py")
    words = dict(line.split() for line in text.splitlines() if line.endswith(("open", "shut")))
    assert words[f"{own}:80"] == "open"
    assert {words[f"{own}:22"], words[f"{own}:2222"], words["169.254.169.254:80"]} == {"shut"}


def test_a_build_step_is_limited_and_told_of_it(host: VirtualMachine) -> None:
    status, text = push(host, "hog", f"cat > Dockerfile <<'END'\n{HOG}END\n true")
    assert status != 0
    assert "The step ran out of memory" in text


def test_a_second_run_changes_nothing(host: VirtualMachine) -> None:
    pid = host.type("systemctl show --property MainPID --value paas")
    text = host.type("/src/bootstrap.sh")
    assert "Everything up-to-date" in text
    assert not re.search(r"made|added|wrote|removed|loaded", text)
    assert host.type("systemctl show --property MainPID --value paas") == pid


def test_an_example_is_pushed_and_answers(host: VirtualMachine) -> None:
    started = time.monotonic()
    status, text = push(host, "flask", "cp -R /src/examples/flask/. .")
    print(f"pushed in {time.monotonic() - started:.0f} s")
    assert status == 0, text
    host.type("curl -fsS --max-time 60 http://flask.paas.localhost")


def test_after_a_reboot_apps_answer_by_themselves(host: VirtualMachine) -> None:
    host.reboot()
    print(f"answers {until_it_answers(host):.0f} s after sshd does")
    host.type("timeout 600 sh -c 'until paas status; do sleep 1; done'")
    ready = host.type("systemctl show --value -p ExecMainExitTimestampMonotonic paas-restore")
    nginx = host.type("systemctl show --value -p ExecMainStartTimestampMonotonic nginx")
    assert 0 < int(ready) < int(nginx)
    assert "0 loaded units" in host.type("systemctl --failed --no-pager")


def test_uninstalled_it_leaves_nothing(host: VirtualMachine) -> None:
    host.type("/src/bootstrap.sh uninstall")
    assert host.type(TRACES).strip() == ""
    assert "0 loaded units" in host.type("systemctl --failed --no-pager")
