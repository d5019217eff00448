import pytest

from paas.errors import BuildFailed
from paas.view import View, open_view
from tests.fakes.source import TreeSource

TREE = TreeSource(
    {"Procfile": "web: root", "web/app.py": "1", "web/a/b.py": "2", "web/deploy/Procfile": "web: x"}
)


def test_a_folder_is_seen_as_the_whole() -> None:
    view = View(TREE, "web")
    assert [entry.path for entry in view.entries()] == ["a/b.py", "app.py", "deploy/Procfile"]
    assert (view.has("app.py"), view.has("Procfile"), view.open("a/b.py")) == (True, False, b"2")
    assert view.glob("*.py") == ("app.py",)


def test_another_file_is_taken_for_one_without_moving_it() -> None:
    view = open_view(TREE, "web", {"Procfile": "deploy/Procfile"})
    assert view.read("Procfile") == "web: x"
    assert "Procfile" not in [entry.path for entry in view.entries()]


def test_what_was_chosen_and_is_missing_stops_the_build() -> None:
    assert open_view(TREE, "", {}) is TREE
    with pytest.raises(BuildFailed, match="no folder we"):
        open_view(TREE, "we", {})
    with pytest.raises(BuildFailed, match="no file x"):
        open_view(TREE, "web", {"Dockerfile": "x"})
