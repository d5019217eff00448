"""What all tests share: the flag that writes golden files anew, and marks by folder."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Tests of these drive real git, ssh, nginx, nftables, processes and namespaces.
REAL = (
    "contracts/",
    "doors/",
    "git/",
    "proxies/",
    "schedulers/",
    "setup/",
    "test_daemon.py",
    "test_firewall.py",
    "test_service.py",
)
# Who may not run beside whom: builds look at the engine's one cache, and at its one wall.
GROUPS = {
    "contracts/test_apt_cache.py": "builds",
    "contracts/test_baked_images.py": "builds",
    "contracts/test_build_wall.py": "builds",
    "contracts/test_builder.py": "builds",
    "contracts/test_cache.py": "builds",
    "contracts/test_engine_builder.py": "builds",
    "contracts/test_loaded.py": "builds",
}
Golden = Callable[[Path, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files; read the diff"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults: parts of the host fail; `just faults` is longer")
    config.addinivalue_line("markers", "hosts: whole machines that boot; `just fresh-host`")


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes `-n auto` starts: tests wait a lot."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(tryfirst=True)  # before the names of groups go into those of the tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs real programs by where it stands, so that the fast tests stay fast.

    With `--dist loadgroup` a file goes to one process: its tests share what takes long to make.
    """
    here = Path(__file__).parent
    for item in items:
        place = str(item.path.relative_to(here))
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(GROUPS.get(place, place)))
        if place.startswith("faults/"):
            item.add_marker(pytest.mark.faults)
        if place.startswith("hosts/"):
            item.add_marker(pytest.mark.hosts)
        if place.startswith(("journeys/", "faults/", "hosts/")):
            item.add_marker(pytest.mark.journey)
        elif place.startswith(REAL):
            item.add_marker(pytest.mark.real)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run the members of a group beside each other: xdist names groups behind an @."""
    is_grouped = session.config.getoption("loadgroup", default=False)
    if is_grouped and any("@" not in item.nodeid for item in session.items):
        raise pytest.UsageError("this pytest and this pytest-xdist keep no groups together")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Return a function that compares a text with a golden file, or writes it under the flag."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.write_text(text)
        assert path.is_file(), f"no {path}: run pytest --update-golden and read what it wrote"
        assert text == path.read_text()

    return compare
