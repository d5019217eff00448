import pytest

from tests.commands.conftest import Person


def test_a_topic_alone_and_its_help_are_the_same(paas: Person) -> None:
    texts = [paas(*argv) for argv in (("apps",), ("apps:help",), ("help", "apps"))]
    assert {typed.status for typed in texts} == {0}
    assert len({typed.out for typed in texts}) == 1
    assert "apps:create" in texts[0].out


def test_help_lists_every_topic(paas: Person) -> None:
    out = paas("help").out
    assert all(topic in out for topic in ("apps", "config", "domains", "ps", "ssh-keys"))
    assert paas.over_ssh("help").status == 0


def test_an_unknown_topic_names_the_nearest(paas: Person) -> None:
    typed = paas("help", "domain")
    assert (typed.status, typed.out) == (1, "")
    assert "Did you mean domains?" in typed.err


def test_a_line_of_help_that_is_too_long_flows_into_the_next(paas: Person) -> None:
    lines = paas("logs:help").out.splitlines()
    assert all(len(line) <= 100 for line in lines)
    [before] = [n for n, line in enumerate(lines) if "is kept for a" in line]
    assert "while: see --release" in " ".join(lines[before : before + 2]).replace("       ", "")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_the_help_of_a_verb_is_its_part_of_the_topic_s(paas: Person, flag: str) -> None:
    typed = paas("tokens:create", flag)
    assert typed.status == 0
    assert typed.out.startswith("-----> tokens:create [OPTIONS] APP NAME\n")
    assert "       $ tokens:create shop" in typed.out
    assert typed.out in paas("tokens:help").out


def test_version_has_dokku_s_form(paas: Person) -> None:
    assert paas("version").out.startswith("paas version ")


@pytest.mark.parametrize("verb", ["apps:creat", "nonsense", "; reboot"])
def test_an_unknown_verb_is_not_a_command(paas: Person, verb: str) -> None:
    typed = paas(verb)
    assert typed.status == 1
    assert "is not a paas command" in typed.err
