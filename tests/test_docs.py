"""The documents name everything there is, and links inside the checkout lead somewhere."""

import re
from dataclasses import Field, fields
from pathlib import Path

import pytest

from paas import __main__ as program
from paas.commands.declare import REGISTRY
from paas.commands.reference import OWN, reference
from paas.dispatch import load_commands
from paas.settings import Settings

DOCS = Path(__file__).parent.parent / "docs"
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_described_with_its_default(field: "Field[object]") -> None:
    default = str(field.default).lower() if field.type is bool else field.default
    assert f"\n| `{field.name}` | `{default}` | " in (DOCS / "settings.md").read_text()


def test_no_setting_is_described_that_does_not_exist() -> None:
    described = re.findall(r"^\| `(\w+)` \|", (DOCS / "settings.md").read_text(), re.MULTILINE)
    assert sorted(described) == sorted(field.name for field in fields(Settings))


def test_the_commands_page_is_what_the_declarations_say() -> None:
    load_commands()
    page = (DOCS / "commands.md").read_text()
    assert page == reference(REGISTRY), "run: just docs"
    assert [name for name in REGISTRY if f"`{name}`" not in page] == []


def test_the_verbs_of_the_service_are_on_the_commands_page() -> None:
    assert set(program.OWN) == {*OWN, "doctor"}


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target
