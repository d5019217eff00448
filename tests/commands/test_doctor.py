import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from paas import disk, doctor
from tests.commands.conftest import Person


def levels(paas: Person) -> dict[str, str]:
    typed = paas("doctor", "--format", "json")
    findings = json.loads(typed.out)
    assert typed.status == any(finding["level"] == "fail" for finding in findings)
    return {finding["check"]: finding["level"] for finding in findings}


@contextmanager
def speaking(words: bytes) -> Iterator[int]:
    """Listen on a port and say `words` to whoever comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(words)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_every_part_is_examined(paas: Person) -> None:
    found = levels(paas)
    parts = ("engine", "nginx", "stack", "database", "disk", "libraries")
    assert {part: found[part] for part in parts} == dict.fromkeys(parts, "ok")


def test_a_part_that_fails_is_a_finding_with_what_to_do(paas: Person) -> None:
    paas.proxy.is_down = True
    paas.scheduler.is_down = True
    assert levels(paas)["nginx"] == levels(paas)["engine"] == "fail"


def test_a_daemon_that_does_not_run_is_told(paas: Person) -> None:
    typed = paas("doctor")
    assert typed.status == 1
    assert " !     fail daemon: " in typed.out
    assert "Run: paas start" in typed.out


def test_a_damaged_database_is_found(paas: Person) -> None:
    paas("apps:create", "shop")
    paas.store.close()
    with paas.settings.database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    assert doctor.examine(paas.platform)[3].level == "fail"


@pytest.mark.parametrize(("free", "level"), [(90, "ok"), (60, "warn"), (40, "fail")])
def test_the_disk_rule(
    paas: Person, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    monkeypatch.setattr(disk, "space", lambda *_: (free, 45))
    assert doctor.check_disk(paas.settings).level == level


@pytest.mark.parametrize(("words", "level"), [(b"SSH-2.0-paas\r\n", "ok"), (b"HTTP/1.1 ", "fail")])
def test_the_ssh_door_shows_its_banner(paas: Person, words: bytes, level: str) -> None:
    with speaking(words) as port:
        settings = replace(paas.settings, ssh_port=port)
        assert doctor.check_ssh_door(settings).level == level


def test_a_library_with_known_holes_fails() -> None:
    found = list(doctor.check_libraries({"click": (999,), "pytest": (1,), "no-such-thing": (1,)}))
    assert [finding.level for finding in found] == ["fail", "ok", "fail"]
