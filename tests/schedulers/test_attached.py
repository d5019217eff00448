"""Terminals, signals and tools beside a process, on a real engine."""

import contextlib
import copy
import itertools
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from paas.errors import StartFailed
from paas.schedulers.attached_profile import attached_settings, check_attached
from paas.schedulers.base import Beside, Streams
from paas.schedulers.profile import container_settings
from tests.contracts.engines import ENGINES, until
from tests.fakes.files import Files
from tests.schedulers.conftest import Prison
from tests.schedulers.specs import INSTANCE, SUBNET, make_settings, make_spec

HERE = Streams(0, 1, 2)
WAIT = "until [ \"$(stty size)\" = '{}' ]; do sleep 0.1; done"
OTHER = str(SUBNET[4])
TARGET = "c" * 64
TOOLS = Beside(TARGET, ("SYS_PTRACE",))


class Window:
    """A window whose size the test changes."""

    size = (33, 99)

    def __init__(self) -> None:
        self.callbacks: list[Callable[[int, int], None]] = []

    def on_resize(self, callback: Callable[[int, int], None]) -> None:
        self.callbacks.append(callback)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    with Files(tmp_path) as made:
        yield made


def plain() -> dict[str, Any]:
    return container_settings(make_spec(), make_settings(), with_ca=False)


@pytest.mark.parametrize("beside", [None, Beside(TARGET), TOOLS])
@pytest.mark.parametrize(
    "streams", [HERE, replace(HERE, stdin=None), replace(HERE, window=Window())]
)
def test_what_is_built_passes_the_validator(streams: Streams, beside: Beside | None) -> None:
    check_attached(attached_settings(plain(), streams, beside), plain(), make_settings(), beside)


OUTSIDE: list[tuple[Beside | None, Mapping[str, Any]]] = [
    (None, {"CapAdd": ["SYS_PTRACE"]}),
    (None, {"PidMode": "host"}),
    (None, {"NetworkMode": "host"}),
    (None, {"SecurityOpt": []}),
    (Beside(TARGET), {"CapAdd": ["SYS_PTRACE"]}),
    (Beside(TARGET), {"PidMode": "host"}),
    (Beside(TARGET), {"NetworkMode": f"container:{'d' * 64}"}),
    (Beside(TARGET), {"Binds": ["/:/host"]}),
    (Beside(TARGET), {"Privileged": True}),
    (TOOLS, {"CapAdd": ["SYS_ADMIN"]}),
    (TOOLS, {"CapDrop": []}),
    (Beside(TARGET, ("SYS_ADMIN",)), {}),
]


@pytest.mark.parametrize(("beside", "change"), OUTSIDE)
def test_what_is_outside_the_profile_is_refused(
    beside: Beside | None, change: Mapping[str, Any]
) -> None:
    config = copy.deepcopy(attached_settings(plain(), HERE, beside))
    config["HostConfig"] |= change
    with pytest.raises(StartFailed):
        check_attached(config, plain(), make_settings(), beside)


@pytest.mark.parametrize("beside", [None, Beside(TARGET)])
def test_root_is_for_capabilities_only(beside: Beside | None) -> None:
    config = attached_settings(plain(), HERE, beside) | {"User": "0:0"}
    with pytest.raises(StartFailed):
        check_attached(config, plain(), make_settings(), beside)


@pytest.mark.engine
@pytest.mark.parametrize("way", ["attach", "exec"])
def test_a_terminal_has_the_window_s_size(prison: Prison, files: Files, way: str) -> None:
    window = Window()
    streams = replace(files.streams, window=window)
    line = f"{WAIT.format('33 99')}; stty size; {WAIT.format('44 111')}; stty size"
    grown = threading.Thread(target=lambda: grow(window, files))
    grown.start()
    if way == "attach":
        prison.scheduler.attach(prison.spec(line), streams, lambda _: None)
    else:
        container = prison.scheduler.start(prison.spec("exec sleep 600"))
        prison.scheduler.exec(container, ["sh", "-c", line], streams)
        prison.scheduler.stop([container], 1)
    grown.join()
    assert files.out == b"33 99\r\n44 111\r\n"


@pytest.mark.engine
@pytest.mark.parametrize("way", ["attach", "exec"])
@pytest.mark.parametrize("line", ["stty size", "stty size; read -r typed; echo $typed"])
def test_a_program_sees_the_size_with_its_first_look(
    prison: Prison, files: Files, way: str, line: str
) -> None:
    files.write(b"hello\n")
    streams = replace(files.streams, window=Window())
    if way == "attach":
        status = prison.scheduler.attach(prison.spec(line), streams, lambda _: None).status
    else:
        container = prison.scheduler.start(prison.spec("exec sleep 600"))
        status = prison.scheduler.exec(container, ["sh", "-c", line], streams)
        prison.scheduler.stop([container], 1)
    assert status == 0
    assert files.out.replace(b"hello\r\n", b"", 2) == b"33 99\r\n"


@pytest.mark.engine
def test_a_command_that_is_not_there_is_told_on_a_terminal_too(
    prison: Prison, files: Files
) -> None:
    container = prison.scheduler.start(prison.spec("exec sleep 600"))
    streams = replace(files.streams, window=Window())
    assert prison.scheduler.exec(container, ["no-such-program"], streams) == 127
    assert b"no-such-program" in files.out


def grow(window: Window, files: Files) -> None:
    until(lambda: files.out, bool)
    for callback in window.callbacks:
        callback(44, 111)


@contextlib.contextmanager
def interrupted_when(is_time: Callable[[], bool]) -> Iterator[None]:
    """Interrupt the body when something is true, as a client that goes away does."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    main = threading.get_ident()

    def interrupt() -> None:
        until(is_time, bool)
        signal.pthread_kill(main, signal.SIGALRM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        yield
    thread.join()
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def sleeper(prison: Prison) -> Iterator[str]:
    container = prison.scheduler.start(
        replace(prison.spec("exec sleep 555"), slot=2, address=OTHER)
    )
    yield container
    prison.scheduler.stop([container], 1)


MEEK = "while :; do sleep 0.1; done"
STUBBORN = "trap '' HUP; while :; do sleep 0.1; done"
JOB = f"set -m; nohup sh -c '{MEEK}' >/dev/null 2>&1 & {MEEK}"  # in a process group of its own
CHILD = f"nohup sh -c '{MEEK}' >/dev/null 2>&1; true"  # its leader is gone before it


@pytest.mark.engine
@pytest.mark.parametrize("line", [MEEK, STUBBORN])
def test_an_interrupt_ends_and_removes_a_container(
    prison: Prison, sleeper: str, files: Files, line: str
) -> None:
    streams = replace(files.streams, stdin=None)
    running: list[str] = []

    def is_up() -> bool:
        return any(len(prison.scheduler.top(container)) > 1 for container in running)

    with interrupted_when(is_up):
        prison.scheduler.attach(prison.spec(line), streams, running.append)
    assert [c.id for c in prison.scheduler.containers()] == [sleeper]


@pytest.mark.engine
@pytest.mark.parametrize("line", [MEEK, STUBBORN, CHILD, JOB])
def test_an_interrupt_ends_a_command_and_leaves_the_process_it_was_run_in(
    prison: Prison, sleeper: str, files: Files, line: str
) -> None:
    streams = replace(files.streams, stdin=None)
    with interrupted_when(lambda: "sleep 0.1" in str(prison.scheduler.top(sleeper))):
        prison.scheduler.exec(sleeper, ["sh", "-c", line], streams)
    commands = [row[-1] for row in prison.scheduler.top(sleeper)[1:]]
    assert [command for command in commands if "init" not in command] == ["sleep 555"]


@pytest.mark.engine
@pytest.mark.parametrize("early", [{"Pid": 0}, {"Pid": 0, "Running": False}])
def test_an_interrupt_ends_a_command_of_which_the_engine_knows_little_yet(
    prison: Prison,
    sleeper: str,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    early: Mapping[str, Any],
) -> None:
    inspect, asked = docker.APIClient.exec_inspect, itertools.count()

    def behind(api: docker.APIClient, exec_id: str) -> dict[str, Any]:
        return {**inspect(api, exec_id), **(early if next(asked) < 5 else {})}

    monkeypatch.setattr(docker.APIClient, "exec_inspect", behind)
    test_an_interrupt_ends_a_command_and_leaves_the_process_it_was_run_in(
        prison, sleeper, files, STUBBORN
    )


@pytest.mark.engine
@pytest.mark.usefixtures("tools")
def test_tools_see_the_process_as_its_user_without_capabilities(
    prison: Prison, files: Files
) -> None:
    said = look_beside(prison, files, ())
    assert "sleep 555" in said
    assert "Uid:\t200001" in said
    assert "CapEff:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said


@pytest.mark.engine
@pytest.mark.usefixtures("tools")
def test_tools_with_a_capability_have_only_that(prison: Prison, files: Files) -> None:
    said = look_beside(prison, files, ("SYS_PTRACE",))
    assert "sleep 555" in said
    assert f"CapEff:\t{1 << 19:016x}" in said
    assert f"CapBnd:\t{1 << 19:016x}" in said
    assert "Seccomp:\t2" in said


@pytest.fixture(scope="module")
def tools(prison: Prison) -> Iterator[None]:
    """Give this instance the tools' image, which another has made."""
    name = f"{INSTANCE}/stack-build"
    with contextlib.closing(docker.APIClient(ENGINES[0])) as engine:
        engine.tag("paas/stack-build:trixie", name, "trixie")
        yield
        engine.remove_image(f"{name}:trixie")


def look_beside(prison: Prison, files: Files, capabilities: tuple[str, ...]) -> str:
    container = prison.scheduler.start(prison.spec("exec sleep 555"))
    line = "cat /proc/self/status; cat /proc/*/cmdline | tr '\\0' ' '"
    spec = replace(prison.spec(line), process_type="debug", slot=7)
    beside = Beside(container, capabilities)
    prison.scheduler.attach(spec, files.streams, lambda _: None, beside)
    prison.scheduler.stop([container], 1)
    return files.out.decode()
