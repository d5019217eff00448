import pytest

from paas.build.versions import Wanted, newest_matching, read_tool_version, read_version
from tests.fakes.source import TreeSource

RELEASES = ("3.13", "3.15", "3.14", "3.12", "3.11", "3.10")


@pytest.mark.parametrize(
    ("constraint", "release"),
    [
        (">=3.11", "3.13"),
        (">=3.11,<3.13", "3.12"),
        (">=3.11 <3.13", "3.12"),
        (">= 3.11, < 3.13", "3.12"),
        ("^3.11", "3.13"),
        ("~3.11", "3.11"),
        ("~3.11.4", "3.11"),
        ("~=3.12", "3.13"),
        ("3.12.*", "3.12"),
        ("==3.11.*", "3.11"),
        (">=3.14", "3.15"),
        ("<3.11 || ^3.12", "3.13"),
        ("*", "3.13"),
        (">=2.7,<3", None),
        ("nonsense", None),
    ],
)
def test_the_first_release_that_a_constraint_allows(constraint: str, release: str | None) -> None:
    assert newest_matching(constraint, RELEASES) == release


def test_a_version_file_may_have_comments_and_a_prefix() -> None:
    source = TreeSource({"runtime.txt": "# pinned\n\npython-3.13.5\n3.9\n"})
    assert read_version(source, "runtime.txt", "python-") == Wanted("3.13.5", "runtime.txt")
    assert read_version(source, ".python-version") is None


def test_tool_versions_name_the_tool() -> None:
    source = TreeSource({".tool-versions": "ruby 3.3\nnodejs 22.1.0 # lts\n"})
    assert read_tool_version(source, "nodejs", "node") == Wanted("22.1.0", ".tool-versions")
    assert read_tool_version(source, "python") is None
