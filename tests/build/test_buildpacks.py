"""Every example of every buildpack, and every app under examples/, has the plan that is written."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from paas.build.base import BuildPlan
from paas.build.buildpack import Buildpack, Stack, detect, load
from paas.errors import BuildFailed
from tests.fakes.source import TreeSource

ROOT = Path(__file__).parents[2]
STACK = Stack("paas/stack:trixie", "paas/stack-build:trixie")
EXAMPLES = sorted(p for p in ROOT.glob("buildpacks/*/examples/*") if p.is_dir())
APPS = sorted(p for p in ROOT.glob("examples/*") if p.is_dir())


@cache
def packs() -> tuple[Buildpack, ...]:
    return load(ROOT / "buildpacks")


def show(plan: BuildPlan) -> str:
    lines = [f"builder: {plan.builder}", f"summary: {plan.summary}"]
    lines += [f"process {process.name}: {process.command}" for process in plan.processes]
    lines += [f"note: {note}" for note in plan.notes]
    lines += [f"ignore: {pattern}" for pattern in plan.ignore]
    return "\n".join([*lines, "", plan.dockerfile])


def plan_text(folder: Path) -> str:
    try:
        return show(detect(TreeSource.from_folder(folder), STACK, packs()))
    except BuildFailed as error:
        return "\n".join([f"error: {error.message}", *error.details, f"hint: {error.hint}", ""])


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda p: f"{p.parents[1].name}-{p.name}")
def test_an_example_has_its_expected_plan(
    folder: Path, golden: Callable[[Path, str], None]
) -> None:
    text = plan_text(folder)
    assert text.startswith((f"builder: {folder.parents[1].name}\n", "error: "))
    golden(folder.with_suffix(".plan"), text)


@pytest.mark.parametrize("folder", APPS, ids=lambda p: p.name)
def test_each_app_under_examples_can_be_planned(folder: Path) -> None:
    plan = detect(TreeSource.from_folder(folder), STACK, packs())
    assert [process.name for process in plan.processes if process.name == "web"]


def test_every_buildpack_has_examples() -> None:
    assert {pack.name for pack in packs()} == {folder.parents[1].name for folder in EXAMPLES}
