"""The completion scripts in real shells, against a `paas` that says what it was asked."""

import os
import subprocess
from pathlib import Path

import pytest

from paas.client import completion

PROGRAM = """#!/bin/sh
printf '%s|' "$@" > "$ASKED"
printf 'apps:clone\\napps:create\\n'
"""
BASH = 'eval "$1"; COMP_LINE=$2; COMP_POINT=${#2}; _paas; printf "%s\\n" "${COMPREPLY[@]}"'
ZSH = """compdef() { : }; compadd() { shift; print -l -- "$@" }
eval "$1"; words=(${(s: :)2}); CURRENT=2; _paas"""
FISH = "echo $argv[1] | source; complete -C $argv[2]"
SHELLS = {
    "bash": ["bash", "--norc", "-c", BASH, "bash"],
    "zsh": ["zsh", "-f", "-c", ZSH, "zsh"],
    "fish": ["fish", "--no-config", "-c", f"set argv $argv; {FISH}"],
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_asks_and_offers_what_it_was_told(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "paas").write_text(PROGRAM)
    (tmp_path / "paas").chmod(0o755)
    completion.main([shell])
    done = subprocess.run(
        [*SHELLS[shell], capsys.readouterr().out, "paas apps:c"],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "ASKED": str(tmp_path / "asked"),
            **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    offered = {"clone", "create"} if shell == "bash" else {"apps:clone", "apps:create"}
    assert set(done.stdout.split()) == offered, done.stderr  # bash splits at colons
    assert (tmp_path / "asked").read_text() == "complete|--|apps:c|"


@pytest.mark.parametrize("args", [[], ["powershell"], ["bash", "zsh"], ["--help"]])
def test_another_shell_is_refused(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert completion.main(args) == 2
    assert "bash|zsh|fish" in capsys.readouterr().err
