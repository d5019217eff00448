"""Code that comes from archives, images and other hosts."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from paas import origins
from paas.errors import BuildFailed, Unavailable
from paas.model import App
from tests.commands.conftest import Person

CODE = {"Dockerfile": b"FROM debian:trixie\n", "Procfile": b"web: serve\n"}


def archive(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def source_of(paas: Person) -> tuple[str, str]:
    told = paas("apps:report", "shop", "--app-deploy-source").out.strip()
    return told, paas("apps:report", "shop", "--app-deploy-source-metadata").out.strip()


@pytest.fixture
def empty(paas: Person) -> App:
    assert paas("apps:create", "shop").status == 0
    return paas.store.apps.get("shop")


def test_an_archive_on_standard_input_is_deployed(paas: Person, empty: App) -> None:
    typed = paas.over_ssh("git:from-archive", "shop", "--", text_in=archive(CODE))
    assert typed.status == 0, typed.err
    assert "Deployed shop v1" in typed.out
    app = paas.store.apps.get("shop")
    assert (app.version, app.deploy_branch) == (1, "main")
    assert paas.repos.tip(app, "main") == paas.store.releases.get(app.id, 1).commit
    assert paas.repos.notes[-1].author == "anna"
    deploy = paas.store.deploys.list(app.id)[0]
    assert (deploy.reason, deploy.actor) == ("git:from-archive", "anna")


def test_the_same_archive_again_deploys_nothing(paas: Person, empty: App) -> None:
    data = archive(CODE)
    paas("git:from-archive", "shop", "--", "Anna", "anna@example.org", text_in=data)
    assert (paas.repos.notes[-1].author, paas.repos.notes[-1].mail) == ("Anna", "anna@example.org")
    again = paas("git:from-archive", "shop", "-", text_in=data)
    assert again.status == 0
    assert "No changes detected" in again.out
    assert paas.store.apps.get("shop").version == 1


def test_an_archive_that_does_not_build_changes_nothing(paas: Person, shop: App) -> None:
    before = paas.repos.tip(shop, "main")
    paas.builder.error = BuildFailed("The build stopped")
    typed = paas("git:from-archive", "shop", "--", text_in=archive(CODE | {"a": b"1"}))
    assert typed.status == 1
    assert "v1 is still serving" in typed.out
    assert paas.repos.tip(shop, "main") == before


def test_the_bounds_of_archives_hold(paas: Person, empty: App) -> None:
    paas("git:set", "shop", "archive-max-files", "1")
    typed = paas("git:from-archive", "shop", "--", text_in=archive(CODE))
    assert (typed.status, "more than 1 files" in typed.err) == (1, True)
    paas("git:set", "--global", "archive-max-size", "100")
    typed = paas("git:from-archive", "shop", "--", text_in=archive(CODE))
    assert "The file has more than" in typed.err
    assert paas.store.deploys.list(empty.id) == ()


@pytest.mark.parametrize("verb", [("git:load-image", "mine:1"), ("git:from-archive", "--")])
def test_what_is_sent_stops_before_it_fills_the_disk(
    paas: Person, empty: App, verb: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paas("git:set", "--global", "archive-max-size", "1")
    paas.settings = replace(paas.settings, disk_reserve=1 << 60)
    monkeypatch.setattr("paas.disk.SHARE", 1.1)
    typed = paas(verb[0], "shop", verb[1], text_in="much")
    assert (typed.status, "The disk is nearly full" in typed.err) == (75, True)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("shop",), 2),
        (("shop", "http://example.org/a.tar"), 2),
        (("shop", "file:///etc/passwd"), 2),
        (("shop", "https://example.org:99999/"), 2),
        (("shop", "https://[x/"), 2),
        (("shop", "https://a b/"), 2),
        (("shop", "https://example.org/\u00e4"), 2),
        (("shop", "https://127.0.0.1/a.tar"), 75),
        (("shop", "--", "only-a-name"), 2),
        (("shop", "--archive-type", "rar", "--"), 2),
        (("nothing", "--"), 20),
    ],
)
def test_a_wrong_archive_is_refused(
    paas: Person, empty: App, words: tuple[str, ...], status: int
) -> None:
    assert paas("git:from-archive", *words, text_in=b"").status == status


def test_the_source_is_that_of_what_is_live_and_follows_a_rollback(paas: Person, shop: App) -> None:
    pushed = paas.store.releases.get(shop.id, 1).commit
    assert source_of(paas) == ("git-push", pushed)
    for tag in ("one", "two"):
        assert paas("git:from-image", "shop", f"registry.example.org/shop:{tag}").status == 0
    assert paas("config:set", "shop", "A=1").status == 0
    assert source_of(paas) == ("docker-image", "registry.example.org/shop:two")
    assert paas("releases:rollback", "shop", "v2").status == 0
    assert source_of(paas) == ("docker-image", "registry.example.org/shop:one")
    assert paas("releases:rollback", "shop", "v1").status == 0
    assert source_of(paas) == ("git-push", pushed)


def test_sources_of_what_was_never_live_are_forgotten(paas: Person, shop: App) -> None:
    for number in range(3):
        paas.builder.error = BuildFailed("The build stopped")
        assert paas("git:from-image", "shop", f"registry.example.org/shop:{number}").status == 1
    assert len(paas.store.properties.get(shop.id, origins.TOPIC)) == 1


def test_an_image_becomes_a_dockerfile(paas: Person, empty: App) -> None:
    typed = paas("git:from-image", "shop", "registry.example.org/shop:1.2")
    assert typed.status == 0, typed.err
    assert "FROM registry.example.org/shop:1.2" in paas.builder.builds[-1].plan.dockerfile
    assert paas("git:report", "shop", "--git-source-image").out == "registry.example.org/shop:1.2\n"
    assert source_of(paas) == ("docker-image", "registry.example.org/shop:1.2")
    assert (
        "No changes detected" in paas("git:from-image", "shop", "registry.example.org/shop:1.2").out
    )
    assert paas("git:from-image", "shop", "x\nRUN evil").status == 2


def test_an_image_that_is_sent_can_be_used_by_its_app_alone(paas: Person, empty: App) -> None:
    typed = paas("git:load-image", "shop", "mine:1", text_in="mine:1")
    assert typed.status == 0, typed.err
    (alias,) = paas.builder.sources[empty.id]
    assert paas.builder.builds[-1].plan.dockerfile == f"FROM {alias}\n"
    assert paas("git:report", "shop", "--git-source-image").out == "mine:1\n"
    assert paas("git:load-image", "shop", "mine:2", text_in="mine:2").status == 0
    assert alias not in paas.builder.sources[empty.id]
    assert paas("git:load-image", "shop", "mine:3", text_in="other").status == 1


def test_a_loaded_image_that_does_not_start_leaves_the_old_one(paas: Person, empty: App) -> None:
    paas("git:load-image", "shop", "mine:1", text_in="mine:1")
    old = set(paas.builder.sources[empty.id])
    paas.builder.error = BuildFailed("The build stopped")
    assert paas("git:load-image", "shop", "mine:2", text_in="mine:2").status == 1
    assert old <= paas.builder.sources[empty.id]
    assert paas("ps:rebuild", "shop").status == 0


def test_a_folder_of_the_host_is_for_root(paas: Person, empty: App, tmp_path: Path) -> None:
    (tmp_path / "code" / ".git").mkdir(parents=True)
    (tmp_path / "code" / ".git" / "config").write_text("")
    (tmp_path / "code" / "static.html").write_text("hello")
    words = ("git:from-image", "--build-dir", str(tmp_path / "code"), "shop", "debian:trixie")
    assert "root on the host" in paas.over_ssh(*words).err
    assert paas(*words).status == 0
    source = paas.repos.source(empty, str(paas.store.releases.get(empty.id, 1).commit))
    assert [entry.path for entry in source.entries()] == ["Dockerfile", "static.html"]


def test_sync_stores_and_deploys_only_on_demand(paas: Person, empty: App) -> None:
    paas.repos.remote = CODE
    url = "https://token@git.example.org/shop.git"
    typed = paas("git:sync", "shop", url)
    assert (typed.status, "to deploy it: ps:rebuild shop" in typed.out) == (0, True)
    assert source_of(paas) == ("", "")
    assert paas.store.apps.get("shop").version is None
    assert paas("git:sync", "--build-if-changes", "shop", url).status == 0
    assert paas.store.apps.get("shop").version == 1
    commit = paas.store.releases.get(empty.id, 1).commit
    assert source_of(paas) == ("git-sync", f"https://git.example.org/shop.git#{commit}")
    assert "it is what is deployed" in paas("git:sync", "--build-if-changes", "shop", url).out
    assert paas.store.apps.get("shop").version == 1
    assert paas("git:sync", "--build", "shop", url).status == 0
    assert paas.store.apps.get("shop").version == 2


def test_the_branch_that_is_synced_deploys_from_then_on(paas: Person, shop: App) -> None:
    paas.repos.remote = CODE
    paas("git:sync", "shop", "https://git.example.org/shop.git", "live")
    assert paas.store.apps.get("shop").deploy_branch == "live"
    paas("git:sync", "--skip-deploy-branch", "shop", "https://git.example.org/shop.git", "v1")
    assert paas.store.apps.get("shop").deploy_branch == "live"
    assert paas("ps:rebuild", "shop").status == 0


def test_sync_uses_the_app_s_own_key_and_login(paas: Person, shop: App) -> None:
    paas.repos.remote = CODE
    made = paas("git:generate-deploy-key", "shop")
    assert made.out.startswith("ssh-ed25519 ")
    assert paas("git:public-key", "shop").out == made.out
    assert (
        paas("git:auth", "git.example.org", "anna", "--app", "shop", text_in="s3cret\n").status == 0
    )
    paas("git:sync", "shop", "git@git.example.org:team/shop.git")
    remote, _ = paas.repos.fetched[-1]
    assert (remote.url, remote.login) == (
        "ssh://git@git.example.org/./team/shop.git",
        ("anna", "s3cret"),
    )
    assert remote.key.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert not remote.is_trusted
    assert paas("git:auth-status", "git.example.org", "--app", "shop").status == 0
    assert paas("git:auth", "git.example.org", "--app", "shop").status == 0
    assert paas("git:auth-status", "git.example.org", "--app", "shop").status == 1


def test_a_login_for_all_apps_is_for_admins(paas: Person, shop: App) -> None:
    paas.user("ben", "owner", "shop")
    assert paas.typing("ben", "git:auth", "git.example.org", "ben", "x").status == 1
    assert (
        paas.typing("ben", "git:auth", "git.example.org", "ben", "x", "--app", "shop").status == 0
    )
    assert paas.typing("ben", "git:set", "--global", "deploy-branch", "x").status == 1
    assert paas.typing("ben", "git:allow-host", "git.example.org").status == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "file:///etc",
        "/etc",
        "ext::sh",
        "https://u:p@example.org/x",
        "ssh://-oX/x",
        "",
    ],
)
def test_other_repositories_are_refused(paas: Person, shop: App, url: str) -> None:
    assert paas("git:sync", "shop", url).status == 2
    assert paas.repos.fetched == []


def test_a_remote_that_does_not_answer_changes_nothing(paas: Person, shop: App) -> None:
    paas.repos.remote = Unavailable("git.example.org does not answer")
    typed = paas("git:sync", "--build", "shop", "https://git.example.org/shop.git")
    assert typed.status == 75
    assert paas.store.apps.get("shop").version == 1


def test_the_commit_is_in_the_variable_that_was_chosen(paas: Person, shop: App) -> None:
    commit = paas.store.releases.get(shop.id, 1).commit
    assert paas.scheduler.started[-1].config == {"GIT_REV": commit}
    for value, expected in (("REV", {"REV": commit}), ("", {})):
        assert paas("git:set", "shop", "rev-env-var", value).status == 0
        paas("ps:restart", "shop")
        assert paas.scheduler.started[-1].config == expected
    assert "GIT_REV" not in paas("config:show", "shop").out


def test_the_deploy_branch_is_set_for_one_and_for_all(paas: Person, shop: App) -> None:
    assert paas("git:set", "shop", "deploy-branch", "live").status == 0
    assert paas.store.apps.get("shop").deploy_branch == "live"
    assert paas("git:set", "shop", "deploy-branch").status == 0
    assert paas("git:set", "--global", "deploy-branch", "trunk").status == 0
    paas.push("other")
    assert paas.store.apps.get("other").deploy_branch == "trunk"
    values = json.loads(paas("git:report", "shop", "--format", "json").out)
    assert (values["deploy-branch"], values["global-deploy-branch"]) == (None, "trunk")
    assert values["computed-deploy-branch"] == "trunk"


@pytest.mark.parametrize(
    "words",
    [
        ("shop", "deploy-branch", "-x"),
        ("shop", "deploy-branch", "a..b"),
        ("shop", "deploy-branch", "a/.lock"),
        ("shop", "keep-git-dir", "true"),
        ("shop", "rev-env-var", "PORT"),
        ("shop", "source-image", "x"),
        ("shop", "archive-max-size", "\u0661"),
        ("shop", "nothing", "x"),
        ("shop",),
    ],
)
def test_a_wrong_property_is_refused(paas: Person, shop: App, words: tuple[str, ...]) -> None:
    assert paas("git:set", *words).status == 2


def test_status_tells_what_stands_there_and_unlock_that_nothing_is_held(
    paas: Person, shop: App
) -> None:
    values = json.loads(paas("git:status", "shop", "--format", "json").out)
    assert values["commit"] == values["deployed"]
    assert (values["branch"], values["busy"]) == ("main", None)
    assert "is not locked" in paas("git:unlock", "shop").out
    with paas.platform.locks.app(shop.id, "ben", "push"):
        typed = paas("git:unlock", "shop", "--force")
    assert (typed.status, "ben" in typed.err) == (1, True)


def test_a_repository_is_cleaned(paas: Person, shop: App) -> None:
    assert "MB now" in paas("repo:gc", "shop").out


def test_nothing_comes_into_a_locked_app(paas: Person, shop: App) -> None:
    tip = paas.repos.tip(shop, "main")
    paas("apps:lock", "shop")
    typed = [
        paas("git:from-archive", "shop", "https://example.org/a.tar"),
        paas("git:from-archive", "shop", "--", text_in=archive(CODE | {"a": b"1"})),
        paas("git:from-image", "shop", "example.org/shop:1"),
        paas("git:load-image", "shop", "shop:1", text_in=b"tar"),
        paas("git:sync", "shop", "https://example.org/shop.git"),
    ]
    assert {each.status for each in typed} == {1}
    assert all("apps:unlock shop" in each.err and "Fetching" not in each.out for each in typed)
    assert (paas.repos.tip(shop, "main"), len(paas.store.deploys.list(shop.id))) == (tip, 1)
