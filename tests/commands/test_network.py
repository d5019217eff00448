import json

import pytest

from paas.model import App, ContainerRole
from paas.reconcile import Reconciler
from tests.commands.conftest import Person

KEYS = ("initial-network", "attach-post-create", "attach-post-deploy")


@pytest.fixture
def backend(paas: Person) -> str:
    assert paas("network:create", "backend").status == 0
    return "backend"


def names_on(paas: Person, network: str) -> set[str]:
    return {name for link in paas.scheduler.shared[network].values() for name in link.names}


def attach(
    paas: Person, app: str, key: str = "attach-post-deploy", network: str = "backend"
) -> int:
    return paas("network:set", app, key, network).status


@pytest.mark.parametrize("key", KEYS)
def test_an_attached_app_is_on_the_network_by_name_at_once(
    paas: Person, shop: App, backend: str, key: str
) -> None:
    assert attach(paas, "shop", key) == 0
    assert names_on(paas, backend) == {"shop.web", "shop.web.1"}
    assert paas("network:set", "shop", key, "").status == 0
    assert paas.scheduler.shared[backend] == {}


@pytest.mark.parametrize("key", KEYS)
def test_old_and_new_processes_are_on_it_while_a_deploy_changes_over(
    paas: Person, shop: App, backend: str, key: str
) -> None:
    attach(paas, "shop", key)
    paas.push("shop", "web: serve again")
    rows = paas.store.containers.of(shop.id)
    links = paas.scheduler.shared[backend]
    assert {row.role for row in rows} == {ContainerRole.CURRENT, ContainerRole.DRAINING}
    assert set(links) == {row.id for row in rows}
    assert len({link.address for link in links.values()}) == len(rows)


def test_only_what_is_healthy_comes_onto_it_after_the_deploy(
    paas: Person, shop: App, backend: str
) -> None:
    attach(paas, "shop", "attach-post-deploy")
    paas("network:create", "early")
    attach(paas, "shop", "attach-post-create", "early")
    paas.push("shop", "web: serve again")
    assert [link.network.name for link in paas.scheduler.started[-1].links] == ["early"]


def test_a_network_is_the_apps_in_one_way_only(paas: Person, shop: App, backend: str) -> None:
    attach(paas, "shop", "attach-post-create")
    typed = paas("network:set", "shop", "attach-post-deploy", backend)
    assert (typed.status, "attach-post-create already" in typed.err) == (1, True)
    assert paas("network:set", "shop", "initial-network", "a", "b").status == 2
    assert paas("network:set", "shop", "tld", "local").status == 2
    assert paas("network:set", "shop", "colour", "red").status == 2


def test_one_off_containers_are_on_it_without_a_name(paas: Person, shop: App, backend: str) -> None:
    attach(paas, "shop")
    assert paas("run", "shop", "true").status == 0
    (link,) = paas.scheduler.attached[-1][0].links
    assert (link.network.name, link.names, link.address) == (backend, (), "")


def test_who_attaches_owns_both_the_app_and_the_network(
    paas: Person, shop: App, backend: str
) -> None:
    paas.user("ben", "owner", "shop")
    paas.user("eve", "deployer", "shop")
    typed = paas.typing("ben", "network:set", "shop", "attach-post-deploy", backend)
    assert (typed.status, "does not exist" in typed.err) == (20, True)
    assert paas.typing("ben", "network:create", "bens").status == 0
    assert paas.typing("eve", "network:set", "shop", "attach-post-deploy", "").status == 1
    assert paas.typing("ben", "network:set", "shop", "attach-post-deploy", "bens").status == 0
    assert paas.typing("eve", "network:info", "bens").status == 0
    refused = paas.typing("eve", "network:destroy", "bens", "--force")
    assert (refused.status, "belongs to ben" in refused.err) == (1, True)


def test_an_owner_keeps_what_an_admin_attached_but_cannot_attach_it_again(
    paas: Person, shop: App, backend: str
) -> None:
    paas.user("ben", "owner", "shop")
    attach(paas, "shop")
    paas.typing("ben", "network:create", "bens")
    words = ("network:set", "shop", "attach-post-deploy")
    assert paas.typing("ben", *words, "backend,bens").status == 0
    assert paas.typing("ben", *words, "").status == 0
    assert paas.typing("ben", *words, backend).status == 20


def test_it_is_destroyed_only_when_no_app_is_on_it(paas: Person, shop: App, backend: str) -> None:
    attach(paas, "shop")
    refused = paas("network:destroy", backend, "--force")
    assert (refused.status, "network:set shop attach-post-deploy ''" in refused.err) == (1, True)
    paas("apps:destroy", "shop", "--force")
    assert paas("network:destroy", backend, text_in="other\n").status == 1
    assert paas("network:exists", backend).status == 0
    assert paas("network:destroy", backend, text_in=f"{backend}\n").status == 0
    assert (paas("network:exists", backend).status, paas.scheduler.shared) == (1, {})


def test_others_networks_are_not_seen(paas: Person, shop: App, backend: str) -> None:
    paas.user("ben", "viewer", "shop")
    assert json.loads(paas.typing("ben", "network:list", "--format", "json").out) == []
    attach(paas, "shop")
    paas.push("blog")
    attach(paas, "blog")
    (row,) = json.loads(paas.typing("ben", "network:list", "--format", "json").out)
    assert (row["name"], row["apps"], row["owner"]) == (backend, ["shop"], "admin")


def test_the_report_tells_networks_and_names(paas: Person, shop: App, backend: str) -> None:
    attach(paas, "shop")
    told = json.loads(paas("network:report", "shop", "--format", "json").out)
    assert (told["attach-post-deploy"], told["networks"]) == ([backend], [backend])
    assert told["names"] == ["shop.web", "shop.web.1"]
    assert paas("network:report", "--network-networks").out == "backend\n"


def test_what_was_taken_off_by_hand_comes_back(paas: Person, shop: App, backend: str) -> None:
    attach(paas, "shop")
    (row,) = paas.store.containers.of(shop.id)
    paas.scheduler.unlink_by_hand(row.id, backend)
    Reconciler(paas.platform).run()
    assert names_on(paas, backend) == {"shop.web", "shop.web.1"}
    assert paas.store.containers.of(shop.id) == (row,)


def test_a_crash_between_database_and_engine_is_finished(
    paas: Person, shop: App, backend: str
) -> None:
    attach(paas, "shop")
    paas.store.networks.attach(shop.id, paas.store.networks.attachments()[0].phase, [])
    Reconciler(paas.platform).run()
    assert paas.scheduler.shared[backend] == {}


def test_a_full_network_fails_a_deploy_before_anything_changes(
    paas: Person, shop: App, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paas.state.networks.SEATS", range(2, 4))
    attach(paas, "shop")
    refused = paas("ps:scale", "shop", "web=3")
    assert (refused.status, "All 2 addresses of the network backend" in refused.err) == (1, True)
    assert len(paas.store.containers.of(shop.id)) == 1
    assert paas("ps:scale", "shop", "web=2").status == 0


def test_apps_and_networks_have_addresses_of_their_own(
    paas: Person, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = paas.settings
    monkeypatch.setattr("paas.state.apps.NETWORKS", settings.subnets)
    count = 0
    while paas("apps:create", f"app{count}").status == 0:
        count += 1
    (network,) = paas.store.networks.list()
    subnets = [settings.subnet(app.network_index) for app in paas.store.apps.list()]
    assert not any(settings.shared_subnet(network.index).overlaps(each) for each in subnets)
    assert count == settings.subnets - 4
    assert paas("network:create", "more").status == 1


def test_rebuilding_gives_the_names_of_now(paas: Person, shop: App, backend: str) -> None:
    attach(paas, "shop")
    paas("apps:rename", "--skip-deploy", "shop", "store")
    assert paas("network:rebuild", "store").status == 0
    assert names_on(paas, backend) == {"store.web", "store.web.1"}
    assert paas("network:rebuildall").status == 0


def test_nothing_is_left_of_a_network_that_cannot_be_made(paas: Person) -> None:
    paas.scheduler.range_is_taken = True
    assert paas("network:create", "backend").status == 1
    assert paas.store.networks.list() == ()
    assert paas("network:create", "bridge").status == 2
