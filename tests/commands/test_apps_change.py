"""apps:rename, apps:clone, apps:lock, apps:set."""

import json

import pytest

from paas import site_logs
from paas.model import App, SecurityOptions
from paas.options import loosened
from paas.reconcile import Reconciler
from tests.commands.conftest import Person


def test_a_renamed_app_answers_at_its_new_name_with_all_that_it_had(
    paas: Person, shop: App
) -> None:
    paas("config:set", "shop", "KEY=1")
    paas("domains:add", "shop", "www.example.org")
    typed = paas("apps:rename", "shop", "store")
    assert typed.status == 0, typed.err
    assert paas("apps:exists", "shop").status == 20
    assert set(paas.proxy.sites) == {"store"}
    assert paas.proxy.answer("store.paas.localhost")
    assert paas.proxy.answer("www.example.org")
    assert paas.scheduler.started[-1].app.name == "store"
    assert paas("config:get", "store", "KEY").out == "1\n"


def test_skip_deploy_leaves_the_processes_and_the_reconciler_finds_nothing_to_do(
    paas: Person, shop: App
) -> None:
    before = set(paas.scheduler.running)
    assert paas("apps:rename", "--skip-deploy", "shop", "store").status == 0
    Reconciler(paas.platform).run()
    assert set(paas.scheduler.running) == before
    names = [container.seen.name for container in paas.scheduler.running.values()]
    assert all(name.startswith("paas-store.web.1.") for name in names)
    assert paas.proxy.answer("store.paas.localhost")


def test_a_name_that_nginx_cannot_serve_is_not_taken(paas: Person, shop: App) -> None:
    paas.proxy.is_down = True
    assert paas("apps:rename", "shop", "store").status == 75
    assert paas("apps:exists", "shop").status == 0
    assert set(paas.proxy.sites) == {"shop"}


@pytest.mark.parametrize(("name", "status"), [("blog", 1), ("Blog", 2), ("paas", 2), ("shop", 1)])
def test_a_name_that_is_taken_or_none_is_refused(
    paas: Person, shop: App, name: str, status: int
) -> None:
    paas("apps:create", "blog")
    assert paas("apps:rename", "shop", name).status == status
    assert paas("apps:rename", "missing", "store").status == 20


def test_an_app_can_be_renamed_before_its_first_push(paas: Person) -> None:
    paas("apps:create", "new")
    assert paas("apps:rename", "new", "newer").status == 0
    assert paas.push("newer").version == 1


def test_a_clone_has_config_scale_and_code_but_no_domains(paas: Person) -> None:
    paas.push("shop", "web: serve\nworker: serve")
    paas("config:set", "shop", "KEY=1")
    paas("ps:scale", "shop", "worker=2")
    paas("domains:add", "shop", "www.example.org")
    paas("security:set", "shop", "pids", "64")
    typed = paas("apps:clone", "shop", "staging")
    assert typed.status == 0, typed.err
    clone = paas.store.apps.get("staging")
    assert clone.version == 1
    assert dict(paas.store.formation.get(clone.id)) == {"worker": 2}
    assert paas.scheduler.started[-1].config["KEY"] == "1"
    assert paas.scheduler.started[-1].options.pids == 64
    assert paas.store.domains.list(clone.id) == ()
    assert paas.proxy.answer("staging.paas.localhost")
    paas("config:set", "staging", "KEY=2")
    assert paas("config:get", "shop", "KEY").out == "1\n"


def test_a_clone_without_a_deploy_can_be_built_later(paas: Person, shop: App) -> None:
    assert paas("apps:clone", "--skip-deploy", "shop", "staging").status == 0
    assert paas.store.apps.get("staging").version is None
    assert paas("ps:rebuild", "staging").status == 0
    assert paas.proxy.answer("staging.paas.localhost")


def test_an_existing_app_is_never_cloned_over(paas: Person, shop: App) -> None:
    paas("apps:create", "staging")
    assert paas("apps:clone", "shop", "staging").status == 1
    assert paas("apps:clone", "--ignore-existing", "shop", "staging").status == 0
    assert paas.store.apps.get("staging").version is None


def test_a_clone_of_an_app_that_is_being_deployed_leaves_nothing(paas: Person, shop: App) -> None:
    with paas.platform.locks.app(shop.id, "ben", "push"):
        assert paas("apps:clone", "shop", "staging").status == 1
    assert paas("apps:exists", "staging").status == 20


@pytest.mark.parametrize(
    "verb",
    [
        ("ps:rebuild", "shop"),
        ("ps:restart", "shop"),
        ("config:set", "shop", "A=1"),
        ("ps:scale", "shop", "web=2"),
        ("releases:rollback", "shop"),
    ],
)
def test_a_lock_stops_every_deploy_and_says_whose_it_is(
    paas: Person, shop: App, verb: tuple[str, ...]
) -> None:
    paas.push("shop", "web: new")
    assert paas("apps:lock", "shop").status == 0
    typed = paas(*verb)
    assert typed.status == 1
    assert "locked by root since 20" in typed.err
    assert "apps:unlock shop" in typed.err
    assert paas.store.apps.get("shop").version == 2
    assert paas.store.config.get(shop.id) == {}
    assert not [d for d in paas.store.deploys.unfinished() if d.app_id == shop.id]


def test_a_lock_stops_a_push_until_it_is_freed(paas: Person, shop: App) -> None:
    paas("apps:lock", "shop")
    assert paas("git-receive-pack", "shop", text_in="web: new").status == 1
    assert paas.store.apps.get("shop").version == 1
    assert paas("apps:unlock", "shop").status == 0
    assert paas.push("shop", "web: new").version == 2


def test_locked_tells_by_its_status(paas: Person, shop: App) -> None:
    assert paas("apps:locked", "shop").status == 1
    paas("apps:lock", "shop")
    assert paas("apps:locked", "shop").status == 0
    assert paas("apps:lock", "shop").status == 1
    values = json.loads(paas("apps:report", "shop", "--format", "json").out)
    assert (values["locked"], values["locked-by"]) == (True, "root")
    assert paas("ps:stop", "shop").status == 0


def test_with_autocreation_disabled_a_push_makes_no_app(paas: Person) -> None:
    assert paas("apps:set", "--global", "disable-autocreation", "true").status == 0
    typed = paas("git-receive-pack", "new", text_in="web: serve")
    assert typed.status == 20
    assert "apps:create new" in typed.err
    paas("apps:create", "new")
    assert paas.push("new").version == 1
    paas("apps:set", "--global", "disable-autocreation")
    assert paas.push("other").version == 1


@pytest.mark.parametrize(
    "words", [("shop", "disable-autocreation", "true"), ("--global", "x"), ("--global",)]
)
def test_other_properties_of_apps_are_refused(
    paas: Person, shop: App, words: tuple[str, ...]
) -> None:
    assert paas("apps:set", *words).status == 2
    assert paas("apps:set", "--global", "disable-autocreation", "yes").status == 2


def test_a_clone_opens_no_wall_and_lifts_no_limit_for_who_may_not(paas: Person, shop: App) -> None:
    paas.user("ben", "owner", "shop")
    for key, value in (("pids", "4096"), ("run-as", "1000"), ("writable-root", "true")):
        assert paas("security:set", "shop", key, value).status == 0
    paas("resource:limit", "--memory", "8g", "shop")
    paas("resource:limit", "--process-type", "web", "--cpu", "0.5", "shop")
    paas("docker-options:add", "shop", "deploy", "--ulimit nofile=8192")
    typed = paas.typing("ben", "apps:clone", "shop", "staging")
    assert typed.status == 0, typed.err
    assert "_default_.limit.memory pids run-as writable-root" in typed.out
    spec = paas.scheduler.started[-1]
    assert loosened(spec.options) == ("open-files",)
    assert (spec.resources.memory, spec.resources.cpus) == (None, 0.5)


def test_a_clone_by_who_may_open_walls_has_them(paas: Person, shop: App) -> None:
    paas("security:set", "shop", "pids", "64")
    paas("resource:limit", "--memory", "8g", "shop")
    assert paas.over_ssh("apps:clone", "shop", "one").status == 0
    assert paas.scheduler.started[-1].options.pids == SecurityOptions().pids
    assert paas.scheduler.started[-1].resources.memory == 8 * 1024**3
    assert paas("apps:clone", "shop", "two").status == 0
    assert paas.scheduler.started[-1].options.pids == 64


def test_what_nginx_wrote_goes_along_and_is_nobody_elses(paas: Person, shop: App) -> None:
    folder = site_logs.log_folder(paas.settings)
    folder.mkdir(parents=True)
    for name, text in (("shop.log", "/login?token=1"), ("shop.error.log.1", "old"),
                       ("store.log", "of one before")):  # fmt: skip
        (folder / name).write_text(f"{text}\n")
    assert paas("apps:rename", "shop", "store").status == 0
    assert paas("nginx:access-logs", "store").out == "/login?token=1\n"
    assert sorted(each.name for each in folder.iterdir()) == ["store.error.log.1", "store.log"]
    paas("apps:create", "shop")
    assert paas("nginx:access-logs", "shop").out == ""
    paas.proxy.is_down = True
    assert paas("apps:rename", "store", "third").status == 75
    assert paas("nginx:access-logs", "store").out == "/login?token=1\n"


def test_a_new_name_shows_nothing_of_who_had_it_before(paas: Person, shop: App) -> None:
    paas.user("eve")
    assert paas.typing("eve", "apps:create", "mine").status == 0
    paas("config:set", "shop", "KEY=1")
    paas("apps:destroy", "shop", "--force")
    assert paas.typing("eve", "apps:rename", "mine", "shop").status == 0
    assert [line.split()[2] for line in paas.typing("eve", "events").out.splitlines()] == [
        "created"
    ]
    assert "destroyed app=shop" in paas("events").out
