from pathlib import Path

import pytest

from paas.errors import HookRefused
from paas.hooks import Hooks
from paas.reporter import Reporter
from tests.test_reporter import Listener


def write_hook(root: Path, name: str, text: str, stage: str = "pre-build") -> Path:
    folder = root / f"{stage}.d"
    folder.mkdir(exist_ok=True)
    hook = folder / name
    hook.write_text(f"#!/bin/sh\n{text}\n")
    hook.chmod(0o755)
    return hook


def run(root: Path, timeout: float = 10) -> Reporter:
    reporter = Reporter(Listener())
    Hooks(root, timeout).run("pre-build", "shop", {"PAAS_RELEASE": "v3"}, reporter)
    return reporter


def test_hooks_run_in_name_order_with_the_app_and_the_release(tmp_path: Path) -> None:
    write_hook(tmp_path, "20-second", 'echo "second $1 $PAAS_APP"')
    write_hook(tmp_path, "10-first", 'echo "first $PAAS_RELEASE"')
    record = tmp_path / "record"
    write_hook(tmp_path, "30-third", f"pwd > {record}")
    assert run(tmp_path).tail() == ()  # the last hook says nothing
    assert record.read_text() == "/\n"


def test_a_hook_that_exits_non_zero_refuses_and_its_words_are_shown(tmp_path: Path) -> None:
    write_hook(tmp_path, "10-no", 'echo "freeze until Monday"; exit 3')
    with pytest.raises(HookRefused, match="exit status 3") as caught:
        run(tmp_path)
    assert caught.value.details == ("freeze until Monday",)


def test_no_hook_runs_after_one_that_refused(tmp_path: Path) -> None:
    write_hook(tmp_path, "10-no", "exit 1")
    write_hook(tmp_path, "20-late", f"touch {tmp_path}/ran")
    with pytest.raises(HookRefused):
        run(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_hook_sees_nothing_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "value")
    write_hook(tmp_path, "10-env", f"env > {tmp_path}/env")
    run(tmp_path)
    assert "SECRET" not in (tmp_path / "env").read_text()


def test_a_hook_that_hangs_is_ended_and_refuses(tmp_path: Path) -> None:
    write_hook(tmp_path, "10-hang", "exec sleep 60")
    with pytest.raises(HookRefused, match="did not end"):
        run(tmp_path, timeout=0.2)


def test_a_hook_that_others_can_write_is_refused(tmp_path: Path) -> None:
    write_hook(tmp_path, "10-open", "true").chmod(0o777)
    with pytest.raises(HookRefused, match="not owned by root alone"):
        run(tmp_path)


def test_a_file_that_is_not_executable_is_no_hook(tmp_path: Path) -> None:
    write_hook(tmp_path, "README", "exit 1").chmod(0o644)
    run(tmp_path)


def test_a_hook_without_an_interpreter_is_named(tmp_path: Path) -> None:
    write_hook(tmp_path, "10-bad", "").write_text("#!/nonexistent\n")
    with pytest.raises(HookRefused, match="cannot be run"):
        run(tmp_path)
