import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "bootstrap.sh"


def bootstrap(*argv: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, str(SCRIPT), *argv], capture_output=True, text=True, timeout=20, check=False
    )


@pytest.mark.parametrize("argv", [["--bogus"], ["--root"], ["production"]])
def test_what_is_typed_wrongly_is_named_and_does_nothing(argv: list[str]) -> None:
    done = bootstrap(*argv)
    assert done.returncode == 2
    assert argv[0] in done.stderr
    assert done.stdout == ""


def test_help_names_every_option_that_is_understood() -> None:
    text = bootstrap("--help").stdout
    assert all(f"--{name}" in text for name in ("root", "domain", "ssh-port", "no-demo"))


def test_without_root_it_says_how(tmp_path: Path) -> None:
    done = bootstrap(prefix=("setpriv", "--reuid=65534", "--clear-groups"))
    assert done.returncode == 2
    assert "sudo" in done.stderr


def test_ci_runs_what_the_readme_names() -> None:
    assert 'bootstrap.sh" test' in (ROOT / ".ci" / "run").read_text()
    assert "bootstrap.sh test" in (ROOT / "README.md").read_text()
