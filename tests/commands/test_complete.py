import pytest

from paas.commands.declare import REGISTRY
from paas.model import App
from tests.commands.conftest import Person


def completed(paas: Person, line: str) -> list[str]:
    typed = paas("complete", "--", *line.split(" "))
    assert (typed.status, typed.err) == (0, "")
    return typed.out.splitlines()


def test_verbs_are_completed(paas: Person) -> None:
    assert completed(paas, "apps:cr") == ["apps:create"]
    assert set(completed(paas, "")) == set(REGISTRY) - {"complete"}
    assert "--app" in completed(paas, "-")
    assert completed(paas, "nonsense:verb ") == []


def test_apps_are_completed_where_an_app_is_wanted(paas: Person, shop: App) -> None:
    paas.store.apps.create("shed")
    assert completed(paas, "logs sh") == ["shed", "shop"]
    assert completed(paas, "logs -t sho") == ["shop"]
    assert completed(paas, "--app s") == ["shed", "shop"]
    assert completed(paas, "--app shop config:get ") == ["shed", "shop"]
    assert completed(paas, "logs shop ") == []


def test_flags_and_their_choices_are_completed(paas: Person) -> None:
    assert completed(paas, "apps:report --f") == ["--format"]
    assert completed(paas, "apps:report --format ") == ["json", "stdout", "text"]
    assert completed(paas, "apps:report --format j") == ["json"]
    assert completed(paas, "help conf") == ["config"]


def test_an_app_that_may_not_be_seen_is_not_completed(paas: Person, shop: App) -> None:
    assert "shop" in completed(paas, "logs ")
    paas("apps:destroy", "shop", "--force")
    assert completed(paas, "logs ") == []


@pytest.mark.parametrize("words", [["\x1b[2J"], ["--app"], ["--"], ["é", "\u0661"], ["a\nb", ""]])
def test_hostile_words_complete_to_nothing_harmful(paas: Person, words: list[str]) -> None:
    typed = paas("complete", "--", *words)
    assert typed.status == 0
    assert "\x1b" not in typed.out + typed.err


def test_what_is_for_programs_stands_in_no_list_of_verbs(paas: Person) -> None:
    assert "complete" not in paas("help").out.split()
    assert "Shells ask this" in paas("help", "complete").out
