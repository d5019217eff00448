"""A push with a changed dependency, caches warm, against the package manager's own time."""

import re
import time

from bench.apps import FLASK
from bench.live import LiveApp
from bench.measure import Row, Sample, ratios
from tests.journeys.instance import Instance

# A web app of ordinary size; the last line changes from turn to turn.
PACKAGES = """\
Flask==3.1.0
gunicorn==23.0.0
SQLAlchemy==2.0.38
alembic==1.14.1
celery==5.4.0
redis==5.2.1
requests==2.32.3
pydantic==2.10.6
pillow==11.1.0
Flask-Login==0.6.3
Flask-Migrate==4.1.0
Flask-WTF==1.2.2
sentry-sdk==2.22.0
boto3==1.37.4
structlog=={changing}
"""
VERSIONS = ("24.4.0", "25.1.0")
STEP = re.compile(r"Dependencies: ([0-9.]+) s")


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return the rows. Both versions are fetched before the first turn that counts."""
    app = LiveApp(instance, "deps", FLASK, {"requirements.txt": PACKAGES})
    ours, own = [], []
    rounds = 2 if quick else 6
    for number in range(-2, rounds):
        took, managers = change(app, VERSIONS[number % 2], f"v{number}", number)
        if number >= 0:
            ours.append(took)
            own.append(managers)
    pushes, floor = Sample(tuple(ours)), Sample(tuple(own))
    note = "pip's step in the same build: 15 direct requirements from its warm cache"
    return [
        Row("push with a changed dependency until it answers", pushes, "s"),
        Row("the package manager's own time", floor, "s", note=note),
        Row("push / package manager", ratios(pushes, floor), "x", 1.3, note="turn by turn"),
    ]


def change(app: LiveApp, dependency: str, version: str, number: int) -> tuple[float, float]:
    """Push; return the seconds of all of it, and those of the package manager's step."""
    unique = f"# turn {number}: never the layer of an earlier one\n"
    app.git.write("requirements.txt", PACKAGES.replace("{changing}", dependency) + unique)
    app.write(version)
    start = time.perf_counter()
    said = app.git.push().stderr
    app.wait(version)
    took = time.perf_counter() - start
    found = STEP.search(said)
    assert found, said
    app.settle()
    return took, float(found[1])
