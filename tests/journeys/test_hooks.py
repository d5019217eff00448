"""The host's owner puts hooks beside the deploy: they look on, and may stop it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.instance import Instance
from tests.journeys.programs import Git
from tests.journeys.test_first_push import write_version

BEFORE = ["pre-build", "post-build", "pre-release"]
STAGES = [*BEFORE, "post-deploy", "deploy-failed"]


@pytest.fixture
def diary(paas: Instance) -> Iterator[Path]:
    """Have a hook in every stage that writes down what it was given; return where."""
    text = paas.root / "diary"
    text.write_text("")
    for stage in STAGES:
        write_hook(paas, stage, f'echo "$PAAS_STAGE for $1" >> {text}\nenv -0 > {text}.{stage}')
    yield text
    for hook in (paas.root / "hooks").rglob("10-*"):
        hook.unlink()


def write_hook(paas: Instance, stage: str, body: str) -> None:
    hook = paas.root / "hooks" / f"{stage}.d" / "10-diary"
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{body}\n")
    hook.chmod(0o755)


def given(diary: Path, stage: str) -> dict[str, str]:
    """Return the environment that the hook of this stage had."""
    lines = Path(f"{diary}.{stage}").read_text().split("\0")
    return dict(line.split("=", 1) for line in lines if line)


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    git = paas.app("shop")
    write_version(git, "good")
    git.push()
    assert git.ssh.run("config:set", "shop", "API_TOKEN=precious").returncode == 0
    return git


@pytest.fixture
def change(shop: Git) -> Iterator[str]:
    """Commit a new version; afterwards the work tree is at what is deployed."""
    yield write_version(shop, "changed")
    deployed = shop.git("ls-remote", "paas", "refs/heads/master").stdout.split()[0]
    shop.git("reset", "-q", "--hard", deployed)


def test_the_stages_run_in_order_with_what_they_need(
    paas: Instance, shop: Git, diary: Path, change: str
) -> None:
    shop.push()
    assert diary.read_text().splitlines() == [f"{s} for shop" for s in [*BEFORE, "post-deploy"]]
    for stage in [*BEFORE, "post-deploy"]:
        found = given(diary, stage)
        assert (found["PAAS_APP"], found["PAAS_STAGE"]) == ("shop", stage)
        assert found["PAAS_COMMIT"] == change
        assert found["PAAS_DEPLOY"] == "3"
    assert "PAAS_IMAGE" not in given(diary, "pre-build")
    assert given(diary, "post-build")["PAAS_IMAGE"].startswith("sha256:")
    assert given(diary, "pre-release")["PAAS_IMAGE"].startswith("sha256:")
    assert given(diary, "post-deploy")["PAAS_RELEASE"] == "v3"


def test_config_vars_never_reach_a_hook(
    paas: Instance, shop: Git, diary: Path, change: str
) -> None:
    shop.push()
    for stage in [*BEFORE, "post-deploy"]:
        found = given(diary, stage)
        assert "precious" not in str(found)
        assert {name for name in found if not name.startswith("PAAS_")} <= {
            "PATH",
            "PWD",
            "SHLVL",
            "_",
        }


@pytest.mark.parametrize("stage", BEFORE)
def test_a_hook_before_the_release_stops_the_deploy(
    paas: Instance, shop: Git, diary: Path, change: str, stage: str
) -> None:
    before, containers = paas.curl("shop").stdout, paas.containers()
    write_hook(paas, stage, f"echo {stage} >> {diary}\necho not on Fridays\nexit 7")
    done = shop.push(check=False)
    assert done.returncode != 0
    assert "not on Fridays" in done.stderr
    assert f"The {stage} hook 10-diary refused: exit status 7" in done.stderr
    ran = diary.read_text().split()
    assert stage in ran
    assert not set(ran) & set(BEFORE[BEFORE.index(stage) + 1 :])
    assert paas.curl("shop").stdout == before
    assert set(paas.containers()) <= set(containers)


def test_the_hook_for_failures_hears_the_cause(
    paas: Instance, shop: Git, diary: Path, change: str
) -> None:
    shop.write("app.py", "raise SystemExit(4)\n")
    shop.commit("broken")
    assert shop.push(check=False).returncode != 0
    assert diary.read_text().splitlines()[-1] == "deploy-failed for shop"
    assert "post-deploy for shop" not in diary.read_text()
    assert "exited with code 4" in given(diary, "deploy-failed")["PAAS_ERROR"]


def test_a_hook_after_the_release_can_only_complain(
    paas: Instance, shop: Git, diary: Path, change: str
) -> None:
    write_version(shop, "live")
    write_hook(paas, "post-deploy", "echo the chat is down\nexit 1")
    done = shop.push()
    assert "the chat is down" in done.stderr
    assert "Deployed shop" in done.stderr
    assert paas.curl("shop").stdout == "live plain"


def test_a_hook_that_others_may_write_is_not_run(
    paas: Instance, shop: Git, diary: Path, change: str
) -> None:
    (paas.root / "hooks" / "pre-build.d" / "10-diary").chmod(0o777)
    done = shop.push(check=False)
    assert done.returncode != 0
    assert "not owned by root alone" in done.stderr
    assert "pre-build" not in diary.read_text()
