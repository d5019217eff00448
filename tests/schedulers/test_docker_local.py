"""What only the real adapter has: labels, networks, addresses and the order of things."""

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from paas.errors import StartFailed
from paas.model import App, SecurityOptions
from paas.schedulers.docker_local import DockerLocal
from tests.contracts.engines import until
from tests.schedulers.conftest import Prison
from tests.schedulers.specs import ADDRESS, APP, INDEX, INSTANCE, SUBNET, make_settings

pytestmark = pytest.mark.engine
SLEEPS = "exec sleep 600"
SAYS_BYE = (  # without `;`, so that the plain line is one command
    "python3 -uc \"__import__('signal').pthread_sigmask(0, [15]) or print('ready')"
    " or __import__('signal').sigwait([15]) and print('bye')\""
)
CONNECTS = (
    'exec python3 -c \'import socket,time; s=socket.create_server(("0.0.0.0",5000));'
    ' c=[socket.create_connection(("127.0.0.1",5000)) for _ in range(3)]; time.sleep(600)\''
)


def test_the_network_has_our_bridge_subnet_and_gateway(prison: Prison) -> None:
    prison.scheduler.create_network(APP)
    network = prison.scheduler._engine.api.inspect_network(f"{INSTANCE}-1")
    assert network["Options"]["com.docker.network.bridge.name"] == make_settings().bridge(INDEX)
    assert network["IPAM"]["Config"] == [{"Subnet": str(SUBNET), "Gateway": str(SUBNET[1])}]
    assert network["Labels"]["paas.app-id"] == "1"


def test_a_network_of_older_settings_is_made_anew(prison: Prison) -> None:
    prison.scheduler.create_network(replace(APP, network_index=INDEX + 9))
    prison.scheduler.create_network(APP)
    network = prison.scheduler._engine.api.inspect_network(f"{INSTANCE}-1")
    assert network["IPAM"]["Config"][0]["Subnet"] == str(SUBNET)


def test_a_range_that_is_taken_fails_the_start_and_leaves_nothing(prison: Prison) -> None:
    prison.scheduler.create_network(APP)
    rival = App(2, "rival", INDEX, 0.0)
    with pytest.raises(StartFailed, match="cannot be made") as caught:
        prison.scheduler.start(replace(prison.spec(SLEEPS), app=rival))
    assert "paas.toml" in caught.value.hint
    assert prison.scheduler.containers() == ()


def test_an_address_that_is_taken_fails_the_start_and_leaves_the_holder(prison: Prison) -> None:
    holder = prison.scheduler.start(prison.spec(SLEEPS))
    with pytest.raises(StartFailed, match=r"(?i)address already in use"):
        prison.scheduler.start(replace(prison.spec(SLEEPS), slot=2))
    assert [c.id for c in prison.scheduler.containers()] == [holder]
    prison.scheduler.stop([holder], 1)


def test_what_the_engine_refuses_is_told_with_a_hint(prison: Prison) -> None:
    api = prison.scheduler._engine.api
    with io.BytesIO() as archive, tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("empty"))
        tar.close()
        empty = json.loads(api.import_image_from_data(archive.getvalue(), f"{INSTANCE}/none"))
    image = empty["status"]
    with pytest.raises(StartFailed, match=r"web\.1 cannot be started: (?i:no command)") as caught:
        prison.scheduler.start(replace(prison.spec(SLEEPS), image=image, command=None))
    assert "CMD" in caught.value.hint
    assert prison.scheduler.containers() == ()
    api.remove_image(image)


@pytest.mark.parametrize(
    ("path", "link"),
    [("/linked", "/linked"), ("/linked/new", "/linked"), ("/deep/link/lib", "/deep/link")],
)
def test_a_tmpfs_is_laid_over_no_link_of_the_image(prison: Prison, path: str, link: str) -> None:
    with pytest.raises(StartFailed, match=rf"cover {link}: it is a symbolic link"):
        prison.scheduler.start(replace(prison.spec(SLEEPS), volumes=(path,)))
    options = SecurityOptions(tmpfs={path: 1 << 20})
    with pytest.raises(StartFailed, match="it is a symbolic link"):
        prison.run("true", options)
    assert prison.scheduler.containers() == ()


def test_keep_changes_no_limit_and_survives_in_the_engine(prison: Prison) -> None:
    container = prison.scheduler.start(prison.spec(SLEEPS))
    api = prison.scheduler._engine.api
    before = api.inspect_container(container)["HostConfig"]
    prison.scheduler.keep([container])
    after = api.inspect_container(container)["HostConfig"]
    prison.scheduler.stop([container], 1)
    assert after.pop("RestartPolicy") == {"Name": "unless-stopped", "MaximumRetryCount": 0}
    assert before.pop("RestartPolicy")["Name"] == "no"
    assert after == before


def test_other_instances_and_other_containers_are_not_seen(prison: Prison, helper: str) -> None:
    other = DockerLocal(replace(make_settings(prison.scheduler._settings.engine), instance="sch"))
    container = prison.scheduler.start(prison.spec(SLEEPS))
    assert other.containers() == ()
    assert [c.id for c in prison.scheduler.containers()] == [container]
    other.destroy(APP)
    other.close()
    assert [c.id for c in prison.scheduler.containers()] == [container]
    prison.scheduler.destroy(APP)
    assert (
        prison.scheduler._engine.api.inspect_container(helper)["Name"] == f"/{INSTANCE}-apt-cache"
    )


@pytest.fixture
def helper(prison: Prison) -> Iterator[str]:
    """A container of the instance that is no app's."""
    api = prison.scheduler._engine.api
    labels = {"paas.instance": INSTANCE}
    made = api.create_container(prison.image, labels=labels, name=f"{INSTANCE}-apt-cache")["Id"]
    yield made
    api.remove_container(made, v=True)


def test_the_address_survives_a_restart(prison: Prison) -> None:
    container = prison.scheduler.start(prison.spec(SLEEPS))
    prison.scheduler._engine.api.restart(container, timeout=0)
    assert prison.scheduler.inspect(container).address == ADDRESS
    prison.scheduler.stop([container], 1)


def test_connections_are_counted_in_the_container(prison: Prison) -> None:
    container = prison.scheduler.start(prison.spec(CONNECTS))
    counted = until(lambda: prison.scheduler.connections(container, 5000), lambda n: n == 3)
    other = prison.scheduler.connections(container, 5001)
    prison.scheduler.stop([container], 1)
    assert (counted, other) == (3, 0)


@pytest.mark.parametrize("line", ["{}", "echo; {}", "cd /usr && {}", "A=b {}", "exec {}"])
def test_term_reaches_the_program_behind_shell_and_init(prison: Prison, line: str) -> None:
    container = prison.scheduler.start(prison.spec(line.format(SAYS_BYE)))
    until(lambda: "ready" in prison.scheduler.tail(container, 1), bool)
    lines = prison.scheduler.logs({container: "web.1"}, 1, follow=True)
    assert next(lines).text == "ready"
    stopper = threading.Thread(target=prison.scheduler.stop, args=([container], 10))
    stopper.start()
    assert [line.text for line in lines] == ["bye"]
    stopper.join()


def test_a_release_command_loses_no_output(prison: Prison) -> None:
    status, text = prison.run("seq 1 50000; exit 4")
    assert (status, text.splitlines()) == (4, [str(n) for n in range(1, 50001)])
