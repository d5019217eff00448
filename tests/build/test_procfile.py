import pytest

from paas.build import procfile
from paas.errors import BuildFailed
from paas.model import ProcessType


def test_types_keep_their_order_and_release_is_one_of_them() -> None:
    text = "# how it runs\r\nrelease: python migrate.py\r\n\r\nweb:  gunicorn app:app  \r\n"
    assert procfile.parse(text) == (
        ProcessType("release", "python migrate.py"),
        ProcessType("web", "gunicorn app:app"),
    )


def test_a_command_may_hold_colons_hashes_and_shell_syntax() -> None:
    (web,) = procfile.parse("\ufeffweb: FOO='a: b' exec ./run # --port $PORT\n")
    assert web.command == "FOO='a: b' exec ./run # --port $PORT"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("web: a\nworker: b\n\nweb: c\n", "line 4: web stands on line 1 already"),
        ("<<<<<<< HEAD\nweb: a\n", "line 1: a merge conflict is left"),
        ("web: a\n=======\nworker: b\n", "line 2: a merge conflict is left"),
        ("web: a\n>>>>>>> other\n", "line 2: a merge conflict is left"),
        ("# x\nweb gunicorn\n", "line 2: 'web gunicorn' is not of the form `name: command`"),
        ("web:\n", "line 1: web has no command"),
        ("Web: a\n", "line 1: 'Web' is not a process type"),
        (f"{'a' * 32}: a\n", "is not a process type"),
        ("web: a\x1bb\n", "line 1: a control character is in it"),
        ("web: a\rb\n", "line 1: a control character is in it"),
        (f"web: {'x' * 4092}\n", "line 1: longer than 4096 bytes"),
        ("".join(f"w{n}: a\n" for n in range(21)), "line 21: more than 20 process types"),
        ("# nothing\n", "Procfile is empty"),
        ("w\x00e\x00b\x00", "Procfile is not UTF-8 text"),
    ],
)
def test_a_broken_procfile_names_the_line_and_the_cause(text: str, cause: str) -> None:
    with pytest.raises(BuildFailed) as failure:
        procfile.parse(text)
    assert cause in failure.value.message
    assert failure.value.hint


def test_the_largest_allowed_procfile_is_read() -> None:
    text = "".join(f"w{n}: {'x' * (4096 - len(f'w{n}: '))}\n" for n in range(20))
    assert len(procfile.parse(text)) == 20
