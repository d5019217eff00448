"""An app that is pushed and rolled back, and the moment from which a version answers."""

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.journeys.instance import Instance
from tests.journeys.programs import Git

PATIENCE = 60.0
LOOK = 0.005


def answer_of(instance: Instance, app: str, timeout: float = 10) -> str:
    """Return what the app answers on `/` through nginx; "" when it does not."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", instance.http_port, timeout=timeout)
        connection.request("GET", "/", headers={"Host": f"{app}.{instance.domain}"})
        return connection.getresponse().read().decode().strip()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def wait_until(done: Callable[[], bool], what: str) -> None:
    """Wait; raise AssertionError when it takes a minute."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(what)
        time.sleep(LOOK)


@dataclass
class LiveApp:
    """An app of the instance whose file `app.py` is a template of its version."""

    instance: Instance
    name: str
    template: str
    files: Mapping[str, str]
    git: Git = field(init=False)

    def __post_init__(self) -> None:
        self.git = self.instance.app(self.name)
        for path, text in self.files.items():
            self.git.write(path, text)

    def write(self, version: str) -> None:
        """Commit a version; this is not part of what is measured."""
        self.git.write("app.py", self.template.replace("{version}", version))
        self.git.commit(version)

    def push(self, version: str) -> float:
        """Push; return the seconds until `version` answers and git has given the prompt back."""
        start = time.perf_counter()
        self.git.push()
        self.wait(version)
        return time.perf_counter() - start

    def wait(self, version: str) -> None:
        """Wait until the version answers."""
        wait_until(
            lambda: answer_of(self.instance, self.name) == version, f"{self.name}: no {version}"
        )

    def deploy(self, version: str) -> float:
        """Commit, push, and let the old container be retired, so that turns do not overlap."""
        self.write(version)
        took = self.push(version)
        self.settle()
        return took

    def settle(self) -> None:
        """Wait until one container is left."""
        prefix = f"{self.instance.id}-{self.name}."
        wait_until(
            lambda: sum(name.startswith(prefix) for name in self.instance.containers()) == 1,
            f"{self.name}: the old container stays",
        )
