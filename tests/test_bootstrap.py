import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "bootstrap.sh"
NO_PYTHON = "find_python() { return 1; }; "  # else it finds this machine's


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


def call(function: str, path: Path, **environ: str) -> list[str]:
    """Call one function of the script where only the programs in `path` are there."""
    done = subprocess.run(
        ["/bin/bash", "-c", f"source {SCRIPT}; {function}"],
        env={"PATH": str(path), "PAAS_ENGINE": "unix:///nowhere", **environ},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.stdout.split("\n")[:-1]


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The programs of a bare host."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "dirname"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    return folder


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/bash\n{text}\n")
    (folder / name).chmod(0o755)


def release(folder: Path, name: str, version: str) -> str:
    file = folder / "os-release"
    file.write_text(f'PRETTY_NAME="{name}"\nID={name}\nVERSION_ID="{version}"\n')
    return str(file)


@pytest.mark.parametrize(
    ("name", "version", "python", "nginx"),
    [
        ("debian", "12", "python3", "nginx-light"),
        ("debian", "13", "python3", "nginx-light"),
        ("ubuntu", "22.04", "python3.11", "nginx-core"),
        ("ubuntu", "24.04", "python3", "nginx-light"),
    ],
)
def test_each_release_gets_the_packages_that_it_has(
    host: Path, name: str, version: str, python: str, nginx: str
) -> None:
    said = call(NO_PYTHON + "packages_to_run", host, OS_RELEASE=release(host, name, version))
    assert said[-4:] == [python, f"{python}-venv", nginx, "docker.io"]
    assert "debian-archive-keyring" in said


def test_what_a_host_has_already_is_not_asked_for(host: Path) -> None:
    program(host, "nginx", "exit 0")
    program(host, "dockerd", "exit 0")
    said = call(
        "find_python() { :; }; packages_to_run", host, OS_RELEASE=release(host, "ubuntu", "22.04")
    )
    assert said[-1] == "procps"


@pytest.mark.parametrize(
    ("name", "has_universe", "opened"),
    [("ubuntu", False, True), ("ubuntu", True, False), ("debian", False, False)],
)
def test_universe_is_opened_on_an_ubuntu_that_does_not_read_it(
    host: Path, name: str, has_universe: bool, opened: bool
) -> None:
    program(host, "apt-get", "echo apt-get $3")
    program(host, "apt-cache", f"exit {0 if has_universe else 100}")
    program(host, "add-apt-repository", 'echo "add $*"')
    said = call("fetch_packages git", host, OS_RELEASE=release(host, name, "24.04"))
    universe = ["apt-get install", "add --yes universe", "apt-get update"] if opened else []
    assert said == ["apt-get update", *universe, "apt-get install"]


def test_a_version_is_swept_away_once_nothing_that_it_began_can_run(tmp_path: Path) -> None:
    for name in ("tree-1", "tree-2", "tree-22", "venv-1", "venv-2"):
        (tmp_path / name).mkdir()
    for name in ("tree-1", "tree-2", "venv-2"):
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / "tree").symlink_to("tree-2")
    ours = f"tree={tmp_path}/tree-2; venv={tmp_path}/venv-2"
    call(f"{ours}; sweep", Path("/usr/bin"), PAAS_HOME=str(tmp_path))
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["tree", "tree-2", "tree-22", "venv-1", "venv-2"]


PARTS = ("paas", "buildpacks", "nginx-templates", "hooks", "examples")


def checkout(folder: Path) -> Path:
    """Lay out something that bootstrap.sh can install."""
    for part in PARTS:
        (folder / part).mkdir(parents=True)
    (folder / "paas" / "errors.py").write_text("pass\n")
    return folder


def test_what_was_damaged_in_the_installed_program_is_made_anew(tmp_path: Path) -> None:
    here, home = checkout(tmp_path / "src"), tmp_path / "opt"
    (home / "venv-1" / "bin").mkdir(parents=True)
    (home / "venv-1" / "bin" / "python").symlink_to("/usr/bin/true")
    install = f"here={here}; venv={home}/venv-1; install_tree; echo $tree"
    environ = {"PAAS_HOME": str(home)}
    (first,) = call(install, Path("/usr/bin"), **environ)
    file = Path(first) / "paas" / "errors.py"
    file.write_text("")
    mark = Path(first) / "complete"
    os.utime(mark, (0, 0))
    assert call(install, Path("/usr/bin"), **environ) == [first]
    assert file.read_text() == "pass\n"
    before = mark.stat().st_mtime
    assert before > 0
    assert call(install, Path("/usr/bin"), **environ) == [first]
    assert mark.stat().st_mtime == before


def test_of_two_runs_at_once_the_second_is_refused() -> None:
    with Path("/run/paas-bootstrap.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = bootstrap("uninstall", prefix=("env", "PAAS_HOME=/nonexistent"))
    assert done.returncode == 2
    assert "Another bootstrap.sh or paas upgrade is at work" in done.stderr


def test_a_checkout_where_the_program_goes_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "opt"
    home.mkdir()
    shutil.copy(SCRIPT, home)
    done = subprocess.run(
        [home / "bootstrap.sh", "uninstall"], env={**os.environ, "PAAS_HOME": str(home)},
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Move it to another folder" in done.stderr
    assert (home / "bootstrap.sh").is_file()


@pytest.mark.parametrize(("is_enabled", "said"), [(1, ["enable nginx"]), (0, [])])
def test_what_was_started_by_hand_starts_at_boot_from_now_on(
    host: Path, is_enabled: int, said: list[str]
) -> None:
    answer = f'case $1 in cat) ;; is-enabled) exit {is_enabled} ;; *) echo "$*" ;; esac'
    program(host, "systemctl", answer)
    assert call("has_systemd() { :; }; start_at_boot nginx", host) == said


@pytest.mark.parametrize(
    ("has_settings", "has_program", "said"),
    [
        (False, True, "it was never set up"),
        (True, False, "bootstrap.sh uninstall"),
        (True, True, "bootstrap.sh uninstall"),
        (False, False, "Nothing was removed"),
    ],
)
def test_a_host_that_was_half_installed_is_left_or_told_how(
    tmp_path: Path, *, has_settings: bool, has_program: bool, said: str
) -> None:
    home, config = tmp_path / "opt", tmp_path / "paas.toml"
    if has_settings:
        config.touch()
    if has_program:
        (home / "venv-1").mkdir(parents=True)
    names = (f"PAAS_HOME={home}", f"PAAS_CONFIG={config}")
    done = bootstrap("uninstall", prefix=("env", *names))
    assert said in done.stdout + done.stderr
    assert home.exists() == (has_program and has_settings)
    assert config.exists() == has_settings
