from pathlib import Path

import pytest

from paas.build.base import BuildPlan
from paas.build.buildpack import Buildpack, Stack, detect, load
from paas.errors import BuildFailed
from tests.fakes.source import TreeSource

STACK = Stack("paas/stack:trixie", "paas/stack-build:trixie")
SHIPPED = Path(__file__).parents[2] / "buildpacks"
FLASK = {"requirements.txt": "flask\n", "app.py": "app = Flask(__name__)\n"}


@pytest.fixture(scope="module")
def packs() -> tuple[Buildpack, ...]:
    return load(SHIPPED)


def plan(
    packs: tuple[Buildpack, ...], *trees: dict[str, str], chosen: str | None = None
) -> BuildPlan:
    files = {path: text for tree in trees for path, text in tree.items()}
    return detect(TreeSource(files), STACK, packs, chosen=(chosen,) if chosen else ())


def test_buildpacks_are_asked_in_their_order(packs: tuple[Buildpack, ...]) -> None:
    assert [pack.name for pack in packs] == ["python", "node", "static"]


def test_a_dockerfile_wins_over_everything(packs: tuple[Buildpack, ...]) -> None:
    made = plan(packs, FLASK, {"Dockerfile": "FROM paas/stack\n", "package.json": "{}"})
    assert (made.builder, made.dockerfile, made.trusted) == (
        "dockerfile",
        "FROM paas/stack\n",
        False,
    )
    assert [(p.name, p.command) for p in made.processes] == [("web", None)]


def test_the_chosen_builder_wins_over_a_dockerfile(packs: tuple[Buildpack, ...]) -> None:
    made = plan(packs, FLASK, {"Dockerfile": "FROM paas/stack\n"}, chosen="python")
    assert made.builder == "python"
    assert made.trusted


def test_the_procfile_says_what_runs(packs: tuple[Buildpack, ...]) -> None:
    made = plan(packs, FLASK, {"Procfile": "worker: python work.py\n"})
    assert [(p.name, p.command) for p in made.processes] == [("worker", "python work.py")]
    assert made.notes[-1] == "Procfile has no web: no process answers HTTP"


def test_a_release_line_alone_keeps_the_default_web(packs: tuple[Buildpack, ...]) -> None:
    made = plan(packs, {"Dockerfile": "FROM paas/stack\n", "Procfile": "release: ./migrate\n"})
    assert [(p.name, p.command) for p in made.processes] == [
        ("release", "./migrate"),
        ("web", None),
    ]


def test_commands_of_the_user_never_reach_the_dockerfile(packs: tuple[Buildpack, ...]) -> None:
    package = '{"scripts": {"build": "make evil-build", "start": "node evil-start.js"}}'
    made = plan(packs, {"package.json": package, "Procfile": "web: ./evil-web\n"})
    assert "evil" not in made.dockerfile


def test_the_patterns_of_dockerignore_follow_our_own(packs: tuple[Buildpack, ...]) -> None:
    made = plan(packs, FLASK, {".dockerignore": "# notes\n\n docs \n!docs/api\n"})
    assert made.ignore[-2:] == ("docs", "!docs/api")
    assert ".venv" in made.ignore


@pytest.mark.parametrize("name", ["procfile", "ProcFile", "Procfile.txt"])
def test_a_misspelt_procfile_is_told(packs: tuple[Buildpack, ...], name: str) -> None:
    made = plan(packs, FLASK, {name: "web: gunicorn app:app\n"})
    assert f"{name} is not read: the name must be Procfile" in made.notes


def test_nothing_matches_says_what_was_seen_and_what_would_match(
    packs: tuple[Buildpack, ...],
) -> None:
    with pytest.raises(BuildFailed, match="No buildpack matches") as failure:
        plan(packs, {"requirement.txt": "flask", "docs/a.md": "", "web/package.json": "{}"})
    details = failure.value.details
    assert details[0] == "Seen: docs/, requirement.txt, web/"
    assert "Would match, dockerfile: Dockerfile" in details
    assert any(line.startswith("Would match, node: package.json") for line in details)
    assert "requirement.txt: did you mean requirements.txt?" in details
    assert any("git subtree push --prefix web paas master" in line for line in details)


@pytest.mark.parametrize(
    "files",
    [
        {"package.json": '{"main": "app.js", "dependencies": [], "devDependencies": null}'},
        {"package.json": '{"main": "app.js", "workspaces": 3}'},
        {"package.json": "[" * 100_000},
        {"pyproject.toml": "project = 3\n"},
        {"pyproject.toml": "[project]\ndependencies = 3\n", "app.py": ""},
        {"pyproject.toml": 'tool = "x"\n', "uv.lock": "package = 1\n"},
    ],
)
def test_manifests_of_a_wrong_shape_fail_as_a_build(
    packs: tuple[Buildpack, ...], files: dict[str, str]
) -> None:
    with pytest.raises(BuildFailed, match="cannot read the manifests"):
        plan(packs, files)


def test_an_empty_tree_is_called_so(packs: tuple[Buildpack, ...]) -> None:
    with pytest.raises(BuildFailed) as failure:
        plan(packs, {})
    assert failure.value.details[0] == "Seen: an empty tree"


def test_a_chosen_buildpack_that_does_not_fit_says_what_it_wants(
    packs: tuple[Buildpack, ...],
) -> None:
    with pytest.raises(BuildFailed, match="Buildpack node does not match") as failure:
        plan(packs, FLASK, chosen="node")
    assert failure.value.details[1:] == ("Would match, node: package.json",)


def test_an_unknown_choice_names_those_that_exist(packs: tuple[Buildpack, ...]) -> None:
    with pytest.raises(BuildFailed, match="There is no buildpack 'ruby'") as failure:
        plan(packs, FLASK, chosen="ruby")
    assert failure.value.hint == "Choose one of: dockerfile, python, node, static"


def test_a_chosen_dockerfile_must_be_there(packs: tuple[Buildpack, ...]) -> None:
    with pytest.raises(BuildFailed, match="no Dockerfile"):
        plan(packs, FLASK, chosen="dockerfile")


def add_buildpack(folder: Path, values: str) -> None:
    pack = folder / "shell"
    pack.mkdir()
    (pack / "Dockerfile.j2").write_text('FROM {{ stack.run }}\nRUN echo "{{ word }}"\n')
    (pack / "buildpack.py").write_text(
        "from paas.build.buildpack import Recipe\n"
        "ORDER = 1\nMARKERS = ('start.sh',)\n"
        "def detect(source): return 'start.sh' if source.has('start.sh') else None\n"
        f"def plan(source, stack): return Recipe('shell', {values}, './start.sh')\n"
    )


def test_one_folder_adds_a_buildpack(tmp_path: Path) -> None:
    add_buildpack(tmp_path, "{'word': 'hello'}")
    made = detect(TreeSource({"start.sh": ""}), STACK, load(tmp_path))
    assert made.dockerfile == 'FROM paas/stack:trixie\nRUN echo "hello"\n'
    assert [(p.name, p.command) for p in made.processes] == [("web", "./start.sh")]


@pytest.mark.parametrize(
    "word", ['a"b', "$(id)", "a\\nRUN id", "`id`", "a;b", "a&b", "-rf", "a/../b", "a\\\\b"]
)
def test_a_value_that_could_end_its_word_is_refused(tmp_path: Path, word: str) -> None:
    add_buildpack(tmp_path, f"{{'word': '{word}'}}")
    with pytest.raises(BuildFailed, match="cannot be written into a Dockerfile"):
        detect(TreeSource({"start.sh": ""}), STACK, load(tmp_path))


def test_a_buildpack_that_lacks_a_member_is_named(tmp_path: Path) -> None:
    add_buildpack(tmp_path, "{}")
    text = (tmp_path / "shell/buildpack.py").read_text()
    (tmp_path / "shell/buildpack.py").write_text(text.replace("MARKERS", "MARKS"))
    with pytest.raises(BuildFailed, match="shell lacks MARKERS"):
        load(tmp_path)
