import io

from paas.errors import PaasError
from paas.reporter import LOG_BYTES, Reporter, TerminalSink, clean


class Listener:
    """A sink that keeps what it is sent."""

    def __init__(self) -> None:
        self.text = ""
        self.keepalives = 0

    def write(self, text: str) -> None:
        self.text += text

    def keepalive(self) -> None:
        self.keepalives += 1


def test_a_step_is_announced_before_its_work_begins() -> None:
    sink = Listener()
    reporter = Reporter(sink)
    with reporter.step("Building"):
        assert sink.text == "-----> Building\n"
    assert reporter.durations["Building"] >= 0


def test_tool_output_is_kept_in_the_log_and_not_shown() -> None:
    sink, log = Listener(), io.BytesIO()
    reporter = Reporter(sink, log)
    reporter.tool("Collecting flask\nwarning: old pip")
    assert sink.text == ""
    assert b"Collecting flask" in log.getvalue()
    assert reporter.tail() == ("Collecting flask", "warning: old pip")
    assert reporter.warnings == 1


def test_tool_output_is_shown_when_verbose() -> None:
    sink = Listener()
    Reporter(sink, verbose=True).tool("Collecting flask")
    assert sink.text == "       | Collecting flask\n"


def test_secrets_are_masked_in_steps_in_tool_output_and_in_the_log() -> None:
    sink, log = Listener(), io.BytesIO()
    reporter = Reporter(sink, log, verbose=True)
    reporter.hide(("hunter2hunter2",))
    reporter.tool("connecting with hunter2hunter2")
    reporter.detail("hunter2hunter2")
    assert "hunter2" not in sink.text + log.getvalue().decode()


def test_a_secret_at_the_end_of_what_is_shown_of_a_line_is_masked_too() -> None:
    sink = Listener()
    reporter = Reporter(sink, verbose=True)
    reporter.hide(("hunter2hunter2",))
    reporter.tool("x" * 4090 + "hunter2hunter2")
    assert "hunter" not in sink.text


def test_a_tool_that_writes_for_an_hour_does_not_fill_the_disk() -> None:
    log = io.BytesIO()
    reporter = Reporter(Listener(), log)
    for _ in range(5000):
        reporter.tool("x" * 4096)
    reporter.tool("the cause")
    reporter.milestone("Not deployed")
    assert log.getvalue().count(b"is not kept") == 1
    assert len(log.getvalue()) < LOG_BYTES + 200
    assert log.getvalue().endswith(b"=====> Not deployed\n")
    assert reporter.tail()[-1] == "the cause"


def test_terminal_control_sequences_never_reach_the_pusher() -> None:
    hostile = "a\x1b]0;title\x07b\x1b[2Jc\x9b31md\re\x00f"
    assert clean(hostile) == "abc31mdef"


def test_an_error_is_shown_with_its_details_and_its_hint_and_marked_as_shown() -> None:
    sink = Listener()
    error = PaasError("It broke", hint="Mend it.", details=("last line",))
    Reporter(sink).failure(error)
    assert sink.text == " !     It broke\n !     | last line\n !     Mend it.\n"
    assert error.shown


def test_problems_go_to_stderr_and_a_reader_that_left_stops_nothing() -> None:
    out, err = io.StringIO(), io.StringIO()
    reporter = Reporter(TerminalSink(out, err))
    reporter.detail("fine")
    reporter.problem("bad")
    assert (out.getvalue(), err.getvalue()) == ("       fine\n", " !     bad\n")
    out.close()
    reporter.detail("nobody reads this")


def test_a_secret_of_several_lines_is_masked_in_each_of_them() -> None:
    sink, log = Listener(), io.BytesIO()
    reporter = Reporter(sink, log, verbose=True)
    reporter.hide(("-----BEGIN KEY-----\nMIIEvgIBADAN\nBgkqhkiG9w0B\n",))
    reporter.tool("read MIIEvgIBADAN\nBgkqhkiG9w0B")
    reporter.problem("got\nMIIEvgIBADAN")
    assert "MIIE" not in sink.text + log.getvalue().decode()
    assert "Bgkq" not in sink.text + log.getvalue().decode()


class FullDisk(io.BytesIO):
    """A log on a disk that takes nothing."""

    def write(self, _: object) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_stops_nothing_and_is_told_once() -> None:
    sink = Listener()
    reporter = Reporter(sink, FullDisk())
    reporter.detail("one")
    reporter.detail("two")
    gap = " !     The log of this has a gap: No space left on device\n"
    assert sink.text == f"{gap}       one\n       two\n"
