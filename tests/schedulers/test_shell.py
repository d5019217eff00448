import pytest

from paas.schedulers.shell import is_one_command, shell_line, signal_environment

ONE = ["gunicorn app:app", "  ./run --port $PORT", 'node "my app.js" > /tmp/log', "a $(b c)"]
COMPOUND = [
    "a && b",
    "a; b",
    "a | b",
    "a & wait",
    "a\nb",
    "A=b run",
    "cd src",
    "exec run",
    "if true",
    "(run)",
    "{ run",
    "! run",
    "$RUN now",
    "'my run' now",
    "",
]


@pytest.mark.parametrize("line", ONE)
def test_one_command_takes_the_shells_place(line: str) -> None:
    assert is_one_command(line)
    assert shell_line(line) == f"exec {line.lstrip()}"
    assert signal_environment(line) == {}


@pytest.mark.parametrize("line", COMPOUND)
def test_a_compound_lines_shell_waits_and_all_are_signalled(line: str) -> None:
    assert not is_one_command(line)
    assert shell_line(line) == f"trap 'exit 143' TERM\n{line}"
    assert signal_environment(line) == {"TINI_KILL_PROCESS_GROUP": "1"}


def test_an_images_own_command_is_not_touched() -> None:
    assert signal_environment(None) == {}
