"""What befell processes, what is said about it, and the notices of it, in one database."""

import json
import time

import pytest

from paas.model import LOCAL_ADMIN, App, Container, DeployState, End, EndKind
from paas.state.store import SqliteStore
from tests.builders import release

HOOK = "https://example.org/hook"


@pytest.fixture
def web(store: SqliteStore, shop: App) -> Container:
    _, made = release(store, shop)
    return made


def crash(at: float) -> End:
    return End(EndKind.CRASH, ended=at, at=at)


def now(store: SqliteStore, shop: App) -> Container:
    return store.containers.of(shop.id)[0]


def told(store: SqliteStore) -> list[dict[str, object]]:
    return [json.loads(notice.body) for notice in store.notices.due(time.time() + 1, 50)]


def test_an_end_is_counted_once_and_for_ten_minutes(store: SqliteStore, web: Container) -> None:
    assert store.recovery.note(web, crash(1000.0))
    assert not store.recovery.note(web, crash(1000.0))
    assert store.recovery.note(web, crash(1001.0))
    assert [end.at for end in store.recovery.ends(web, 1002.0)] == [1000.0, 1001.0]
    assert [end.at for end in store.recovery.ends(web, 1600.5)] == [1001.0]


def test_ends_and_trouble_go_with_their_process(store: SqliteStore, web: Container) -> None:
    store.recovery.note(web, crash(1000.0))
    store.containers.forget(web)
    assert not store.recovery.note(web, crash(1001.0))
    store.recovery.trouble(web, "crashed", 0.0)
    assert store.recovery.ends(web, 1001.0) == ()


def test_trouble_stands_at_the_process_and_in_the_journal_once(
    store: SqliteStore, shop: App, web: Container
) -> None:
    store.recovery.trouble(web, "crashed", 5.0)
    store.recovery.trouble(web, "crashed", 9.0, is_parked=True)
    seen = now(store, shop)
    assert (seen.trouble, seen.due, seen.is_parked) == ("crashed", 9.0, True)
    assert [line.text for line in store.journal.read(shop.id, 10)] == ["web.1 crashed"]


def test_a_process_that_is_well_again_is_not_parked(
    store: SqliteStore, shop: App, web: Container
) -> None:
    store.recovery.trouble(web, "crashed", 5.0, is_parked=True)
    store.recovery.well(web)
    store.recovery.well(web)
    assert now(store, shop) == web.__class__(**{**vars(now(store, shop)), "trouble": ""})
    assert not now(store, shop).is_parked
    assert store.journal.read(shop.id, 10)[-1].text == "web.1 is well again"
    assert len(store.journal.read(shop.id, 10)) == 2


def test_without_an_address_nothing_is_queued(store: SqliteStore, web: Container) -> None:
    store.recovery.trouble(web, "crashed", 5.0)
    assert not store.notices.is_due(time.time() + 1)


def test_a_crash_parking_and_recovery_are_told(
    store: SqliteStore, shop: App, web: Container
) -> None:
    store.properties.set(shop.id, "notify", "url", HOOK)
    store.recovery.trouble(web, "crashed", 5.0)
    store.recovery.trouble(web, "crashed again", 6.0)
    store.recovery.trouble(web, "is parked", 6.0, is_parked=True)
    store.recovery.well(web)
    events = [(body["event"], body.get("parked")) for body in told(store)]
    assert events == [("crashed", False), ("crashed", True), ("recovered", None)]


def test_a_deploy_that_is_done_is_told_with_what_it_replaced(
    store: SqliteStore, shop: App, web: Container
) -> None:
    store.properties.set(None, "notify", "url", HOOK)
    store.recovery.trouble(web, "crashed", 5.0, is_parked=True)
    made, _ = release(store, shop)
    store.deploys.advance(made.deploy_id, DeployState.DONE)
    bodies = told(store)
    assert [body["event"] for body in bodies] == ["crashed", "recovered", "deployed"]
    assert (bodies[2]["app"], bodies[2]["release"], bodies[2]["actor"]) == ("shop", "v2", "root")


def test_a_failed_deploy_is_told_with_its_cause_and_a_cancelled_one_is_not(
    store: SqliteStore, shop: App
) -> None:
    store.properties.set(None, "notify", "url", HOOK)
    for state in (DeployState.CANCELLED, DeployState.FAILED):
        deploy = store.deploys.start(shop.id, LOCAL_ADMIN, "push", None, None)
        store.deploys.fail(deploy.id, state, "the build stopped")
    [body] = told(store)
    assert (body["event"], body["error"]) == ("failed", "the build stopped")


def test_the_app_s_own_address_comes_before_the_one_of_all(
    store: SqliteStore, shop: App, web: Container
) -> None:
    store.properties.set(None, "notify", "url", HOOK)
    store.recovery.trouble(web, "crashed", 5.0)
    later = time.time() + 1
    assert store.notices.due(later, 1)[0].url == HOOK
    store.properties.set(shop.id, "notify", "url", f"{HOOK}/shop")
    assert store.notices.due(later, 1)[0].url == f"{HOOK}/shop"
    store.properties.set(shop.id, "notify", "url", None)
    store.properties.set(None, "notify", "url", None)
    assert store.notices.due(later, 1)[0].url == ""


def test_a_notice_is_tried_again_when_it_is_due(
    store: SqliteStore, shop: App, web: Container
) -> None:
    store.properties.set(None, "notify", "url", HOOK)
    store.recovery.trouble(web, "crashed", 5.0)
    [notice] = store.notices.due(time.time() + 1, 5)
    store.notices.retry(notice.id, time.time() + 100, "refused")
    assert not store.notices.is_due(time.time() + 1)
    [again] = store.notices.due(time.time() + 101, 5)
    assert (again.id, again.attempts, store.notices.waiting()) == (notice.id, 1, (1, "refused"))
    store.notices.done(notice.id)
    assert store.notices.waiting() == (0, "")


def test_the_journal_keeps_the_last_lines(store: SqliteStore, shop: App) -> None:
    for number in range(510):
        store.journal.add(shop.id, f"line {number}")
    lines = store.journal.read(shop.id, 1000)
    assert [lines[0].text, lines[-1].text, len(lines)] == ["line 10", "line 509", 500]
    assert store.journal.read(shop.id, 2, after=lines[-2].id)[0].text == "line 509"
