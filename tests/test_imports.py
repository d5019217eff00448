"""Who may import whom: design.md's rule, held by reading every module's syntax tree."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "paas").rglob("*.py"))
SDK_ROOMS = {
    "docker": ("paas.schedulers", "paas.build"),
    "paramiko": ("paas.doors.ssh_server", "paas.doors.ssh"),
    "dulwich": ("paas.git",),
    "jinja2": ("paas.proxies", "paas.build"),
    "sqlite3": ("paas.state",),
}
ADAPTERS = ("paas.git", "paas.state", "paas.schedulers", "paas.proxies", "paas.build")
CORE = (
    "deploy",
    "health",
    "hooks",
    "reconcile",
    "fleet",
    "routing",
    "operate",
    "rerelease",
    "verb",
    "push",
    "attempt",
    "checks",
    "formation",
    "scripts",
    "retention",
    "liveness",
    "look",
    "cancel",
    "changes",
    "crew",
    "hearing",
    "repair",
    "sources",
    "gitset",
    "builders",
    "resources",
    "storage",
    "oneoff",
    "cron",
    "tasks",
    "schedule",
    "kept_logs",
    "log_stream",
    "happenings",
)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "paas":
                yield from (f"paas.{alias.name}" for alias in node.names)


def is_in(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_an_sdk_is_imported_only_in_its_room(path: Path) -> None:
    for imported in imports_of(path):
        rooms = SDK_ROOMS.get(imported.partition(".")[0])
        assert rooms is None or is_in(name_of(path), rooms), f"{name_of(path)} imports {imported}"


INNERMOST = [
    path
    for path in MODULES
    if is_in(name_of(path), ("paas.model", "paas.manifest", "paas.errors", "paas.source"))
]


@pytest.mark.parametrize("path", INNERMOST, ids=name_of)
def test_the_innermost_modules_import_the_standard_library_only(path: Path) -> None:
    for imported in imports_of(path):
        is_ours = is_in(imported, ("paas.errors", "paas.model", "paas.manifest"))
        assert is_ours or imported.partition(".")[0] in sys.stdlib_module_names, imported


@pytest.mark.parametrize("name", CORE)
def test_the_pipeline_knows_protocols_and_never_an_adapter(name: str) -> None:
    for imported in imports_of(ROOT / "paas" / f"{name}.py"):
        if is_in(imported, ADAPTERS):
            assert imported.endswith(".base"), f"{name} imports {imported}"
        assert not is_in(imported, ("paas.commands", "paas.doors", "paas.wiring"))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_adapters_know_neither_each_other_nor_commands_nor_doors(path: Path) -> None:
    own = next((room for room in ADAPTERS if is_in(name_of(path), (room,))), None)
    others = tuple(room for room in ADAPTERS if room != own)
    for imported in imports_of(path) if own else ():
        assert not is_in(imported, (*others, "paas.commands", "paas.doors", "paas.wiring"))


@pytest.mark.parametrize("path", sorted((ROOT / "paas" / "client").glob("*.py")), ids=name_of)
def test_the_client_knows_nothing_of_the_server(path: Path) -> None:
    for imported in imports_of(path):
        is_plain = imported.partition(".")[0] in sys.stdlib_module_names
        is_version = imported in {"paas", "paas.__version__"}
        is_known = is_in(imported, ("paas.client", "paas.errors"))
        assert is_plain or is_version or is_known, imported


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_entry_points_import_the_wiring(path: Path) -> None:
    entry_points = ("paas.__main__", "paas.daemon", "paas.background", "paas.setup", "paas.wiring")
    if "paas.wiring" in imports_of(path):
        assert is_in(name_of(path), entry_points)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_runs_through_a_shell_on_the_host(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == "shell":
            assert isinstance(node.value, ast.Constant)
            assert node.value.value is False
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in {("os", "system"), ("os", "popen")}
