"""A host boots with many apps: all of them answer soon, whatever one of them does.

PAAS_TEST_APPS says how many; a reboot is told by stopping every container behind paas's back.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import docker
import pytest

from tests.journeys.instance import Instance, running
from tests.journeys.test_first_push import write_version

APPS = int(os.environ.get("PAAS_TEST_APPS", "12"))
LIMIT = 60.0  # seconds until everything answers
pytestmark = pytest.mark.timeout(300 + 15 * APPS)
SLOW, BROKEN = "app0", "app1"
# Both start well until a moment; whoever starts them after it meets the other side of them.
PROCFILES = {
    SLOW: "web: test $(date +%s) -lt $UNTIL || sleep 15; exec python3 app.py\n",
    BROKEN: "web: test $(date +%s) -lt $UNTIL || exit 3; exec python3 app.py\n",
}
SOON = 20  # seconds


@pytest.fixture(scope="module")
def paas() -> Iterator[Instance]:
    with running() as instance:
        yield instance


@pytest.fixture(scope="module")
def apps(paas: Instance) -> list[str]:
    """Deploy the apps; the special ones behave well until the third story."""
    names = [f"app{number}" for number in range(APPS)]
    for name in names:
        git = paas.app(name)
        write_version(git, name)
        if name in PROCFILES:
            paas.paas("apps:create", name)
            paas.paas("config:set", name, f"UNTIL={int(time.time()) + 3600}")
            git.write("Procfile", PROCFILES[name])
            git.commit()
        git.push()
    return names


def stop_all(paas: Instance) -> None:
    with contextlib.closing(docker.APIClient()) as engine, ThreadPoolExecutor(8) as pool:
        found = engine.containers(filters={"label": f"paas.instance={paas.id}"})
        list(pool.map(lambda each: engine.stop(each["Id"], timeout=1), found))


def answering(paas: Instance, names: list[str]) -> list[str]:
    with ThreadPoolExecutor(8) as pool:
        said = pool.map(lambda name: paas.curl(name, "/", "--max-time", "2").stdout, names)
        return [name for name, text in zip(names, said, strict=True) if text.startswith(name)]


def until_all_answer(paas: Instance, names: list[str]) -> float:
    started = time.monotonic()
    while len(up := answering(paas, names)) < len(names):
        assert time.monotonic() - started < LIMIT, sorted(set(names) - set(up))
        time.sleep(0.2)
    return time.monotonic() - started


def test_everything_that_is_desired_answers_soon_after_the_start(
    paas: Instance, apps: list[str]
) -> None:
    paas.paas("ps:stop", apps[-1])
    paas.paas("stop")
    stop_all(paas)
    assert answering(paas, apps) == []
    paas.paas("start")
    took = until_all_answer(paas, apps[:-1])
    print(f"{APPS - 1} apps answer {took:.1f} s after the start")
    assert answering(paas, apps[-1:]) == []  # stopped apps stay stopped
    paas.paas("ps:start", apps[-1])


def test_while_paas_runs_everything_comes_back_by_the_engine_s_events(
    paas: Instance, apps: list[str]
) -> None:
    stop_all(paas)
    took = until_all_answer(paas, apps)
    print(f"{APPS} apps answer {took:.1f} s after they were stopped")


def test_a_broken_and_a_slow_app_hold_up_nobody(paas: Instance, apps: list[str]) -> None:
    until = time.time() + SOON
    for name in PROCFILES:
        paas.paas("config:set", name, f"UNTIL={int(until)}")
    time.sleep(max(0.0, until - time.time()))
    paas.paas("stop")
    stop_all(paas)
    paas.paas("start")
    took = until_all_answer(paas, [name for name in apps if name not in PROCFILES])
    print(f"the others answer after {took:.1f} s")
    assert answering(paas, [BROKEN]) == []
    took = until_all_answer(paas, [SLOW])
    print(f"the slow one {took:.1f} s later")
    report = paas.paas("ps:report", BROKEN)
    assert "exited with code 3" in report.stderr
    assert "is started again in" in paas.paas("logs", BROKEN).stdout
