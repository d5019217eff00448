import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest

from paas.model import LOCAL_ADMIN, App, AppEvent, DeployState
from paas.state import events
from paas.state.store import SqliteStore
from tests.builders import make_store, release


def kinds(store: SqliteStore, after: int = 0) -> list[str]:
    return [event.kind for event in store.events.read(100, after)]


def last(store: SqliteStore) -> AppEvent:
    return store.events.read(1)[0]


def test_what_happens_to_an_app_is_written_down(store: SqliteStore, shop: App) -> None:
    made, _ = release(store, shop, {"COLOUR": "blue"})
    store.deploys.advance(made.deploy_id, DeployState.DONE)
    store.formation.set(shop.id, {"web": 2})
    assert dict(last(store).details) == {"processes": {"web": 2}}
    store.apps.destroy(shop.id)
    assert kinds(store) == ["created", "config-changed", "deployed", "scaled", "destroyed"]
    assert {event.app for event in store.events.read(100)} == {"shop"}


def test_only_the_keys_of_a_config_are_told(store: SqliteStore, shop: App) -> None:
    store.config.change(shop.id, {"TOKEN": "s3cret-value", "A": "1"})
    assert dict(last(store).details) == {"keys": ["A", "TOKEN"]}
    store.config.change(shop.id, {"A": "2"}, ["TOKEN"])
    assert dict(last(store).details) == {"keys": ["A", "TOKEN"]}
    before = last(store)
    store.config.change(shop.id, {"A": "2"})
    assert last(store) == before


def test_a_failed_deploy_says_why(store: SqliteStore, shop: App) -> None:
    deploy = store.deploys.start(shop.id, LOCAL_ADMIN, "push", None, None)
    store.deploys.fail(deploy.id, DeployState.FAILED, "no Procfile")
    told = last(store)
    assert (told.kind, told.details["error"], told.details["actor"]) == (
        "failed",
        "no Procfile",
        "root",
    )


def test_events_are_read_by_app_and_from_where_one_stopped(store: SqliteStore, shop: App) -> None:
    store.apps.create("other")
    store.events.add([AppEvent("shop", "die", "web.1", {"code": 1})])
    assert [event.kind for event in store.events.read(10, apps={"shop"})] == ["created", "die"]
    assert [event.app for event in store.events.read(2)] == ["other", "shop"]
    assert store.events.read(10, after=last(store).id) == ()
    assert store.events.read(10, apps=()) == ()


def test_the_oldest_events_are_dropped(
    store: SqliteStore, shop: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEPT", 3)
    store.events.add([AppEvent("shop", f"e{n}") for n in range(5)])
    assert kinds(store) == ["e2", "e3", "e4"]


def test_every_change_wakes_who_listens_in_another_process(tmp_path: Path) -> None:
    store, other = make_store(tmp_path), make_store(tmp_path)
    with closing(store.events.listen()) as ear:
        assert not ear.wait(0)
        thread = threading.Thread(target=lambda: other.apps.create("shop"))
        thread.start()
        assert ear.wait(10)
        thread.join()
        assert not ear.wait(0)
    store.close()


def test_who_has_died_is_forgotten_and_stops_nobody(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run" / "bell"
    with closing(store.events.listen()) as ear:
        dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        monkeypatch.chdir(folder)  # a socket's path is short
        dead.bind("dead")
        dead.close()
        (folder / "a-file").write_text("not a socket")
        store.apps.create("shop")
        assert ear.wait(0)
        assert not (folder / "dead").exists()
        assert (folder / "a-file").exists()
    assert [path.name for path in folder.iterdir()] == ["a-file"]


def test_who_does_not_listen_keeps_nobody_waiting(store: SqliteStore) -> None:
    with closing(store.events.listen()) as ear:
        for _ in range(2000):  # more than any socket's queue takes
            store.events.ring()
        assert ear.wait(0)
        assert not ear.wait(0)


def test_the_bell_can_be_heard_by_root_only(store: SqliteStore, tmp_path: Path) -> None:
    with closing(store.events.listen()):
        assert (tmp_path / "run" / "bell").stat().st_mode & 0o777 == 0o700
