"""A code-only push of a Flask and gunicorn app, next to the floor: git and curl, no paas."""

import contextlib
import ipaddress
import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from bench.apps import FLASK, REQUIREMENTS
from bench.live import LiveApp
from bench.measure import Row, in_turns, ratios
from paas.build.buildpack import Stack, detect, load
from paas.build.dockerfile import CA_FILE, CONTEXT, Rules, check_dockerfile
from paas.settings import Settings
from paas.settings import load as load_settings
from tests.fakes.source import TreeSource
from tests.journeys.instance import Instance

DEPLOY = Path(__file__).parent / "floor" / "deploy.sh"
SOCKET = "/var/run/docker.sock"
FILES = {"requirements.txt": REQUIREMENTS}


@dataclass
class Floor:
    """The same app without paas: same Dockerfile, same container settings, same network."""

    app: LiveApp
    folder: Path
    previous: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    network: str = ""
    addresses: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Copy what paas builds and runs."""
        self.tree, self.bare = self.folder / "tree", self.folder / "bare.git"
        self.tree.mkdir(parents=True)
        self._git("init", "-q", "-b", "master")
        subprocess.run(["git", "init", "-q", "--bare", self.bare], check=True, timeout=20)
        self._write_files()
        self._copy_container()

    def deploy(self, version: str) -> float:
        """Commit a version, deploy it; return the seconds. Then remove the previous one."""
        name = f"floor-{self.app.instance.id}-{version}"
        address = self.addresses[0]
        self.addresses = self.addresses[::-1]
        image = f"{self.app.instance.id}/floor:{version}"
        self._write_version(version)
        body = self.folder / "body.json"
        body.write_text(json.dumps(self._body(image, address)))
        places = [str(self.tree), str(self.bare), SOCKET, image, name, str(body), address]
        start = time.perf_counter()
        argv = ["bash", str(DEPLOY), *places, "5000", version]
        # With pipes, for without them a timeout makes Python look every 50 ms whether it has ended.
        subprocess.run(argv, capture_output=True, check=True, timeout=300)
        took = time.perf_counter() - start
        self.remove()
        self.previous = name
        return took

    def remove(self) -> None:
        """Remove the container of the last deploy."""
        with contextlib.closing(docker.APIClient()) as engine:
            if self.previous:
                engine.remove_container(self.previous, force=True)

    def _write_files(self) -> None:
        settings = settings_of(self.app.instance)
        source = TreeSource.from_folder(self.app.git.tree)
        stack = Stack(settings.stack, settings.stack_build)
        plan = detect(source, stack, load(settings.share / "buildpacks"))
        names = {name: name for name in (settings.stack, settings.stack_build)}
        rules = Rules(settings.instance, stacks=names, ca=settings.ca_bundle.is_file())
        (self.tree / "Dockerfile").write_text(check_dockerfile(plan.dockerfile, rules).text)
        if settings.ca_bundle.is_file():
            (self.tree / CA_FILE).write_bytes(settings.ca_bundle.read_bytes())
        (self.tree / CONTEXT).mkdir()
        for path, text in FILES.items():
            (self.tree / CONTEXT / path).write_text(text)

    def _write_version(self, version: str) -> None:
        text = FLASK.replace("{version}", version)
        (self.tree / CONTEXT / "app.py").write_text(text)
        self._git("add", "-A")
        self._git("commit", "-q", "-m", version)

    def _copy_container(self) -> None:
        """Take all settings of the container that paas has made, but its labels and its address."""
        (name,) = (
            n
            for n in self.app.instance.containers()
            if n.startswith(f"{self.app.instance.id}-{self.app.name}.")
        )
        with contextlib.closing(docker.APIClient()) as engine:
            made = engine.inspect_container(name)
            self.network = made["HostConfig"]["NetworkMode"]
            (pool,) = engine.inspect_network(self.network)["IPAM"]["Config"]
        subnet = ipaddress.ip_network(pool["Subnet"])
        self.addresses = (str(subnet[-2]), str(subnet[-3]))  # paas begins with the low ones
        self.body = made["Config"] | {"HostConfig": made["HostConfig"], "Labels": {}}

    def _body(self, image: str, address: str) -> Mapping[str, Any]:
        endpoint = {"IPAMConfig": {"IPv4Address": address}}
        networks = {"EndpointsConfig": {self.network: endpoint}}
        return self.body | {"Image": image, "NetworkingConfig": networks}

    def _git(self, *args: str) -> None:
        environ = self.app.git.environ
        subprocess.run(["git", *args], cwd=self.tree, env=environ, check=True, timeout=60)


def settings_of(instance: Instance) -> Settings:
    """Return the settings that the instance runs with."""
    return load_settings(instance.environ)


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return the rows: ours, the floor, and their ratio turn by turn."""
    app = LiveApp(instance, "flask", FLASK, FILES)
    app.deploy("warm")
    floor = Floor(app, instance.root / "floor")
    floor.prepare()
    try:
        floor.deploy("warm")
        ours, bare = in_turns(
            5 if quick else 20, lambda n: app.deploy(f"v{n}"), lambda n: floor.deploy(f"v{n}")
        )
    finally:
        floor.remove()
    what = "code-only push of a Flask + gunicorn app until it answers and the prompt is back"
    return [
        Row(what, ours, "s", 1.0, note="real git over ssh, answer through nginx"),
        Row("its floor", bare, "s", note="git push, BuildKit, create, start by git and curl only"),
        Row("push / floor", ratios(ours, bare), "x", 2.0, note="turn by turn"),
    ]
