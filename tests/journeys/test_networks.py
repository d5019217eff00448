"""Two apps that share a network talk by name; a third does not, and no wall has fallen."""

import json
from collections.abc import Callable
from urllib.parse import urlencode

import docker
import pytest

from tests.contracts.engines import until
from tests.journeys.instance import Instance
from tests.journeys.programs import Git
from tests.journeys.test_walls import PROBE

REFUSED, UNKNOWN = "Connection refused", "Unknown error -2"  # EAI_NONAME is no errno
PHASE = "attach-post-deploy"


@pytest.fixture(scope="module")
def apps(paas: Instance) -> dict[str, Git]:
    made = {name: paas.app(name) for name in ("shop", "blog", "third")}
    for git in made.values():
        git.fill(PROBE)
        git.push()
    return made


@pytest.fixture
def ask(paas: Instance, apps: dict[str, Git]) -> Callable[..., str]:
    def from_inside(app: str, path: str, **query: object) -> str:
        return paas.curl(app, f"{path}?{urlencode(query)}").stdout

    return from_inside


@pytest.fixture
def shared(paas: Instance, apps: dict[str, Git]) -> str:
    if paas.paas("network:exists", "backend", check=False).returncode:
        paas.paas("network:create", "backend")
    for app in ("shop", "blog"):
        paas.paas("network:set", app, PHASE, "backend")
    return "backend"


def container(paas: Instance, app: str) -> str:
    """Return the name of the app's only container; what a deploy has replaced ends in a moment."""
    prefix = f"{paas.id}-{app}."
    [name] = until(
        lambda: [name for name in paas.containers() if name.startswith(prefix)],
        lambda found: len(found) == 1,
    )
    return name


def places(paas: Instance, app: str) -> dict[str, str]:
    """Return {network: address} of the app's only container."""
    name = container(paas, app)
    engine = docker.APIClient()
    found = engine.inspect_container(name)["NetworkSettings"]["Networks"]
    engine.close()
    return {network: entry["IPAddress"] for network, entry in found.items()}


def test_attached_apps_talk_by_name_and_a_third_does_not(
    paas: Instance, ask: Callable[..., str], shared: str
) -> None:
    assert ask("shop", "/connect", host="blog.web", port=5000) == "open"
    assert ask("blog", "/connect", host="shop.web.1", port=5000) == "open"
    address = places(paas, "blog")[f"{paas.id}-net-backend"]
    assert ask("third", "/connect", host="blog.web", port=5000) == UNKNOWN
    assert ask("third", "/connect", host=address, port=5000) == REFUSED


def test_the_walls_and_the_way_out_stay_those_of_the_apps_own_network(
    paas: Instance, ask: Callable[..., str], shared: str
) -> None:
    own = places(paas, "shop")
    gateway = ask("shop", "/gateway")
    bridge = own[f"{paas.id}-net-backend"].rpartition(".")[0] + ".129"
    other = next(a for n, a in places(paas, "blog").items() if not n.endswith("backend"))
    assert gateway.rpartition(".")[0] != bridge.rpartition(".")[0]
    for host in (gateway, bridge):
        assert ask("shop", "/connect", host=host, port=paas.ssh_port) == REFUSED
    assert ask("shop", "/connect", host="169.254.169.254", port=80) == REFUSED
    assert ask("shop", "/connect", host=other, port=5000) == REFUSED
    host = f"blog.{paas.domain}"
    assert ask("shop", "/fetch", address=gateway, port=paas.http_port, host=host) == "blog"


def test_it_holds_across_a_deploy(
    apps: dict[str, Git], ask: Callable[..., str], shared: str
) -> None:
    apps["blog"].write("start.py", "print('again')\n")
    apps["blog"].commit("again")
    apps["blog"].push()
    assert ask("shop", "/connect", host="blog.web", port=5000) == "open"


def test_one_off_containers_reach_the_others(apps: dict[str, Git], shared: str) -> None:
    line = "import socket; socket.create_connection(('blog.web', 5000), 5); print('open')"
    ran = apps["shop"].ssh.run("run", "shop", f'python3 -c "{line}"')
    assert ran.stdout.splitlines()[-1:] == ["open"], ran.stderr


def test_what_is_taken_off_by_hand_is_put_back(
    paas: Instance, ask: Callable[..., str], shared: str
) -> None:
    name = container(paas, "blog")
    engine = docker.APIClient()
    engine.disconnect_container_from_network(name, f"{paas.id}-net-backend")
    engine.rename(name, f"{name}9")  # which is heard at once; else it takes up to a minute
    engine.close()
    asked = until(
        lambda: ask("shop", "/connect", host="blog.web", port=5000), lambda said: said == "open"
    )
    assert asked == "open"
    assert until(lambda: container(paas, "blog"), lambda now: now == name) == name


def test_detaching_ends_it_and_then_the_network_can_go(
    paas: Instance, ask: Callable[..., str], shared: str
) -> None:
    address = places(paas, "blog")[f"{paas.id}-net-backend"]
    assert paas.paas("network:destroy", shared, "--force", check=False).returncode == 1
    paas.paas("network:set", "blog", PHASE, "")
    assert ask("shop", "/connect", host="blog.web", port=5000) == UNKNOWN
    assert ask("shop", "/connect", host=address, port=5000) != "open"
    paas.paas("network:set", "shop", PHASE, "")
    paas.paas("network:destroy", shared, "--force")
    assert json.loads(paas.paas("network:list", "--format", "json").stdout) == []
