import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest

from paas import __version__
from paas.client import connection
from paas.client import main as client
from paas.client.main import Line, parse, words_for
from paas.client.remote import Host
from paas.client.verbs import OWN, complete, first_url, open_app
from paas.errors import PaasError, UsageError

CHECKOUT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("logs -t", Line(("logs", "-t"))),
        ("--app shop logs", Line(("logs",), app="shop")),
        ("-a shop --host=h:22 logs -a x", Line(("logs", "-a", "x"), app="shop", host="h:22")),
        ("-r staging --force apps:destroy", Line(("--force", "apps:destroy"), remote="staging")),
        ("--no-app apps:report", Line(("apps:report",), no_app=True)),
        ("run ls --app x", Line(("run", "ls", "--app", "x"))),
        ("", Line(())),
    ],
)
def test_our_flags_stand_before_the_verb(typed: str, line: Line) -> None:
    assert parse(typed.split()) == line


def test_a_flag_without_its_value_is_refused() -> None:
    with pytest.raises(UsageError):
        parse(["--app"])


def test_a_typed_app_goes_before_the_remote_s() -> None:
    assert words_for(Line(("logs",), app="other"), "shop") == ("--app", "other", "logs")
    assert words_for(Line(("logs",)), "shop") == ("--in", "shop", "logs")
    assert words_for(Line(("apps:list",)), None) == ("apps:list",)


@pytest.mark.parametrize(
    "report",
    ["", "[]", "{}", '{"urls": []}', '{"urls": ["file:///etc/passwd"]}',
     '{"urls": ["http://h/$(reboot)"]}', '{"urls": [1]}', '{"urls": ["http://h\\n-x"]}'],
)  # fmt: skip
def test_only_a_plain_web_address_is_opened(report: str) -> None:
    with pytest.raises(PaasError):
        first_url(report)


def test_the_app_s_address_is_opened() -> None:
    assert first_url('{"urls": ["http://shop.example.org:8080"]}') == "http://shop.example.org:8080"


def test_a_host_offers_plain_words_only_to_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["apps:clone", "$(reboot)", "a b", "x;y", "\x1b]0;x\x07", "`id`", "--app", "-"]
    (tmp_path / "said").write_text("\n".join(words))
    monkeypatch.setenv("PAAS_SSH", f"sh -c 'cat {tmp_path}/said'")
    assert complete(Host("paas", "h", None), ["--", ""], ["complete", "--", ""]) == 0
    assert capsys.readouterr().out.split() == ["apps:clone", "--app", "-", *OWN]


def test_where_there_is_no_browser_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    report = subprocess.CompletedProcess([], 0, '{"urls": ["http://shop.example.org"]}')
    monkeypatch.setattr(connection, "ask", lambda *_: report)
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    with pytest.raises(PaasError, match="No browser"):
        open_app(Host("paas", "h", None), "shop", ())


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workstation without a repository, and without a host."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def test_without_a_host_the_next_step_is_named(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert client.main(["logs"]) == 20
    assert "paas link HOST" in capsys.readouterr().err
    assert client.main([]) == 0
    assert "link HOST" in capsys.readouterr().out


@pytest.mark.parametrize("typed", ["help", "--help", "-h"])
def test_help_needs_no_host(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    assert client.main([typed]) == 0
    assert "No host is known here. Try: paas link HOST" in capsys.readouterr().out


def test_without_a_host_the_version_is_the_client_s(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert client.main(["version"]) == 0
    said = capsys.readouterr()
    assert said.out == f"paas version {__version__} (of this client; no host is set)\n"
    assert "paas link HOST" in said.err


@pytest.mark.parametrize(
    ("typed", "status"),
    [("link", 2), ("link -v", 2), ("link h a b", 2), ("link h SHOP", 2), ("--host x y", 20),
     ("-r -v logs", 2), ("-r nope logs", 20), ("--host -x logs", 2), ("--host h create a b", 2),
     ("--host h create a", 2), ("--host h open", 2)],
)  # fmt: skip
def test_what_is_typed_wrongly_is_refused(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, typed: str, status: int
) -> None:
    monkeypatch.setenv("PAAS_SSH", "no-such-ssh")
    assert client.main(typed.split()) == status


def test_a_remote_that_is_no_app_is_named(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["git", "init", "-q"], check=True, timeout=20)
    url = "ssh://-oProxyCommand=x/shop"
    subprocess.run(["git", "remote", "add", "paas", url], check=True, timeout=20)
    assert client.main(["logs"]) == 2
    assert "no app of paas" in capsys.readouterr().err


def test_the_client_imports_next_to_nothing() -> None:
    code = "import sys, paas.client.main; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    loaded = set(done.stdout.split())
    ours = {name for name in loaded if name.partition(".")[0] == "paas"}
    allowed = {"paas", "paas.errors", "paas.client", "paas.client.main", "paas.client.verbs"}
    assert ours == allowed | {"paas.client.connection", "paas.client.remote"}
    assert not loaded & {"click", "docker", "paramiko", "dulwich", "json", "dataclasses", "pathlib"}
