"""What recorded answers of the engine come to, on the screen and as errors."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from paas.build.control_pb2 import StatusResponse, Vertex, VertexLog, VertexWarning
from paas.build.explain import explain
from paas.build.progress import LOG_BYTES, TRACE, Progress, readable
from tests.fakes.reporting import make_reporter

RECORDED = Path(__file__).parents[1] / "golden" / "progress"  # Engine 20.10


def replay(name: str, *, verbose: bool = False) -> tuple[Progress, str]:
    reporter, screen = make_reporter(verbose=verbose)
    progress = Progress(reporter)
    for line in (RECORDED / f"{name}.jsonl").read_text().splitlines():
        progress.feed(json.loads(line))
    progress.finish()
    return progress, screen.text


def message(**fields: Any) -> Mapping[str, str]:
    raw = StatusResponse(**fields).SerializeToString()
    return {"id": TRACE, "aux": base64.b64encode(raw).decode()}


def failure(log: str, code: int = 1) -> str:
    """Return the hint for a step that ended with this log."""
    progress = Progress(make_reporter()[0])
    progress.feed(message(vertexes=[Vertex(digest="d", name="[2/2] RUN x", error="exit")]))
    progress.feed(message(logs=[VertexLog(vertex="d", msg=log.encode())]))
    progress.feed({"error": f'process "x" did not complete successfully: exit code: {code}'})
    progress.finish()
    return explain(progress, "").hint


def test_the_first_build_says_how_long_its_stages_took() -> None:
    progress, text = replay("first")
    assert text.splitlines() == ["       Dependencies: 0.2 s", "       Build: 0.3 s"]
    assert progress.image.startswith("sha256:")


def test_a_code_only_build_says_that_dependencies_are_cached() -> None:
    assert "Dependencies: cached" in replay("code-only")[1]


def test_steps_and_both_streams_of_their_output_are_told() -> None:
    text = replay("first", verbose=True)[1]
    assert "| [build 2/2] RUN echo one; echo two >&2" in text
    assert "| COPY" not in text.replace("] COPY", "")
    assert {"       | one", "       | two", "       | half"} <= set(text.splitlines())


def test_our_own_mount_and_folder_are_not_shown() -> None:
    text = replay("first", verbose=True)[1]
    assert "paas-ca" not in text
    assert "[build 1/2] COPY . /app" in text
    assert readable("[1/1] COPY src/src/a src/b.txt /src/c") == "[1/1] COPY src/a b.txt /src/c"


def test_a_failed_step_is_an_error_with_code_command_and_last_lines() -> None:
    progress, text = replay("failed")
    error = explain(progress, "")
    assert error.message.startswith("A build step exited with code 3: RUN echo line one;")
    assert error.details == ("line one", "line two")
    assert not progress.image
    assert "cached" not in text


def test_a_missing_file_is_named_as_the_user_wrote_it() -> None:
    error = explain(replay("missing")[0], "")
    assert error.message == "The Dockerfile copies nothing.txt, which is not in the source"
    assert ".dockerignore" in error.hint


def test_an_instruction_that_the_engine_does_not_know_is_shown() -> None:
    progress = Progress(make_reporter()[0])
    progress.feed({"error": "failed to solve: dockerfile parse error line 2: Unknown flag: link"})
    error = explain(progress, "FROM x\nCOPY --link a b\n")
    assert error.message.endswith("Unknown flag: link")
    assert error.details == ("COPY --link a b",)


@pytest.mark.parametrize(
    ("log", "code", "hint"),
    [
        ("Killed", 137, "build_memory"),
        ("FATAL ERROR: JavaScript heap out of memory", 134, "build_memory"),
        ("cp: error writing 'x': No space left on device", 1, "disk is full"),
        ("curl: (6) Could not resolve host: example.org", 6, "network"),
        ("SSL: CERTIFICATE_VERIFY_FAILED certificate verify failed", 1, "ca_bundle"),
        ("E: Unable to locate package foo", 100, "apt-get update"),
        ("ERROR: No matching distribution found for flask==99", 1, "version"),
        ("/bin/sh: 1: foo: not found", 127, "not in the image"),
        ("/bin/sh: ./x: Permission denied", 126, "chmod"),
        ("boom", 1, "Run the step on your machine"),
    ],
)
def test_the_likely_cause_of_a_failure_is_told(log: str, code: int, hint: str) -> None:
    assert hint in failure(log, code)


def test_twenty_last_lines_are_kept_even_when_the_log_is_full() -> None:
    reporter, screen = make_reporter()
    progress = Progress(reporter)
    lines = "".join(f"{n:0100d}\n" for n in range(LOG_BYTES // 100 + 1000))
    progress.feed(message(vertexes=[Vertex(digest="d", name="[1/1] RUN x", error="e")]))
    progress.feed(message(logs=[VertexLog(vertex="d", msg=lines.encode())]))
    progress.feed({"error": "exit code: 1"})
    assert len(screen.text) < LOG_BYTES * 1.2
    assert "left out" in screen.text.splitlines()[-1]
    assert explain(progress, "").details[-1].lstrip("0") == str(LOG_BYTES // 100 + 999)


def test_warnings_are_told() -> None:
    reporter, screen = make_reporter()
    Progress(reporter).feed(message(warnings=[VertexWarning(short=b"secrets in ENV")]))
    assert "warning: secrets in ENV" in screen.text


def test_a_progress_bar_leaves_its_last_state_only() -> None:
    reporter, screen = make_reporter()
    progress = Progress(reporter)
    progress.feed(message(logs=[VertexLog(vertex="d", msg=b"10%\r50%\r100%\n")]))
    assert screen.text.splitlines() == ["       | 100%"]


@pytest.mark.parametrize(
    "log",
    [
        "npm error code ETIMEDOUT\nnpm error network request to https://npm.example/x failed",
        "npm error code ERR_SOCKET_TIMEOUT",
        "ReadTimeoutError(\"HTTPSConnectionPool(host='pypi.example', port=443): Read\")",
        "ERROR: Connection reset by peer",
        "E: Failed to fetch http://deb.example/x.deb  Could not connect to deb.example:80",
        "error: Failed to fetch: `https://pypi.example/x`\n  error sending request for url (x)",
        "All attempts to connect to pypi.example failed.",
        "503 Service Unavailable",
    ],
)
def test_a_registry_that_does_not_answer_is_named_as_the_cause(log: str) -> None:
    assert failure(log).startswith("The network is the cause")


def test_a_stutter_that_passed_is_not_taken_for_the_cause() -> None:
    stutter = "WARNING: Retrying (Retry(total=4, read=None)) after ReadTimeoutError('timed out')"
    assert failure(f"{stutter}\nSyntaxError: invalid syntax").startswith("Run the step")
