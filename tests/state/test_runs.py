"""One-off containers in the database: places, addresses, and what is kept."""

from dataclasses import replace

import pytest

from paas.errors import Conflict, NotFound
from paas.model import LOCAL_ADMIN, App
from paas.state import runs
from paas.state.store import SqliteStore
from paas.tasks import Errand, RunKind
from tests.builders import make_container

ERRAND = Errand(RunKind.RUN, "ls", "anna", 60.0)


@pytest.fixture
def app(store: SqliteStore) -> App:
    return store.apps.create("shop")


def test_processes_and_one_off_containers_share_the_addresses(store: SqliteStore, app: App) -> None:
    deploy = store.deploys.start(app.id, LOCAL_ADMIN, "push", None, None)
    taken = {make_container(store, app, deploy.id, slot=n).address for n in range(1, 10)}
    held = {store.runs.begin(app, ERRAND, 1, has_address=True).address for _ in range(5)}
    taken |= {make_container(store, app, deploy.id, slot=n).address for n in range(10, 15)}
    assert len(taken | held) == 19


def test_an_address_is_free_again_when_it_is_over(store: SqliteStore, app: App) -> None:
    run = store.runs.begin(app, ERRAND, 1, has_address=True)
    store.runs.end(run, 0)
    assert store.runs.begin(app, ERRAND, 1, has_address=True).address == run.address


def test_more_than_ten_at_once_are_refused(store: SqliteStore, app: App) -> None:
    for _ in range(runs.AT_ONCE):
        store.runs.begin(app, ERRAND, 1, has_address=False)
    with pytest.raises(Conflict, match="run already"):
        store.runs.begin(app, ERRAND, 1, has_address=False)


def test_a_minute_of_a_job_begins_once(store: SqliteStore, app: App) -> None:
    due = replace(ERRAND, kind=RunKind.CRON, job="tidy", scheduled=60.0)
    store.runs.end(store.runs.begin(app, due, 1, has_address=False), 0)
    with pytest.raises(Conflict, match="has begun already"):
        store.runs.begin(app, due, 1, has_address=False)
    store.runs.skip(app.id, due, 1, "was skipped")
    assert len(store.runs.list(app.id)) == 1


def test_it_ends_once_and_the_first_word_holds(store: SqliteStore, app: App) -> None:
    run = store.runs.begin(app, ERRAND, 1, has_address=True)
    store.runs.end(run, 3, "", "said")
    store.runs.end(run, None, "the process that held it has died")
    ended = store.runs.get(app.id, run.id)
    assert (ended.status, ended.error, store.runs.output(ended)) == (3, "", "said")
    with pytest.raises(NotFound):
        store.runs.started(run, "c" * 64)


def test_the_first_explanation_holds(store: SqliteStore, app: App) -> None:
    run = store.runs.begin(app, ERRAND, 1, has_address=True)
    store.runs.explain(run, "it was stopped by ben")
    store.runs.explain(run, "it did not end within 60 s")
    assert store.runs.end(run, 143, "it was interrupted") == "it was stopped by ben"
    store.runs.explain(run, "too late")
    ended = store.runs.get(app.id, run.id)
    assert (ended.status, ended.error) == (143, "it was stopped by ben")
    assert store.runs.end(run, None, "again") == "it was stopped by ben"


def test_what_is_to_end_is_not_started_unless_it_is_spared(store: SqliteStore, app: App) -> None:
    run = store.runs.begin(app, ERRAND, 1, has_address=True)
    store.runs.explain(run, "it was stopped by ben")
    with pytest.raises(NotFound):
        store.runs.started(run, "c" * 64)
    store.runs.spare(run)
    assert store.runs.started(run, "c" * 64).error == ""


def test_what_ended_with_its_app_says_so(store: SqliteStore, app: App) -> None:
    run = store.runs.begin(app, ERRAND, 1, has_address=True)
    store.apps.destroy(app.id)
    assert store.runs.end(run, 143) == "its app was destroyed"


def test_of_those_that_are_over_the_newest_are_kept(
    store: SqliteStore, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "SEEN", -1.0)
    for _ in range(runs.KEPT + 5):
        store.runs.end(store.runs.begin(app, ERRAND, 1, has_address=False), 0)
    assert len(store.runs.list(app.id)) == runs.KEPT


def test_what_runs_alone_is_held_by_nobody(store: SqliteStore, app: App) -> None:
    run = store.runs.begin(app, ERRAND, 1, has_address=True)
    assert run.pid
    assert store.runs.started(run, "c" * 64).pid == run.pid
    assert store.runs.started(run, "c" * 64, alone=True).pid is None
