"""A rollback over ssh until the old version answers."""

import time

from bench.apps import FLASK, REQUIREMENTS
from bench.live import LiveApp
from bench.measure import Row, in_turns
from tests.journeys.instance import Instance


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return one row: back and forth between two versions."""
    app = LiveApp(instance, "back", FLASK, {"requirements.txt": REQUIREMENTS})
    app.deploy("one")
    app.deploy("two")

    def roll_back(number: int) -> float:
        start = time.perf_counter()
        version = 1 + number % 2  # v1 is "one", v2 is "two"
        done = app.git.ssh.run("releases:rollback", app.name, f"v{version}")
        assert done.returncode == 0, done.stdout + done.stderr
        app.wait(("one", "two")[number % 2])
        took = time.perf_counter() - start
        app.settle()
        return took

    (sample,) = in_turns(4 if quick else 12, roll_back)
    what = "rollback of the same app until the old version answers and the prompt is back"
    return [Row(what, sample, "s", 1.0, note="`releases:rollback APP vN` over ssh")]
