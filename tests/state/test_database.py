import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from paas.errors import DiskFull, Outdated, PaasError, Unavailable
from paas.model import App
from paas.settings import Settings
from paas.state import commit_point
from paas.state.migrate import FOLDER, migrate, refuse_newer
from paas.state.store import SqliteStore
from tests.builders import make_store, release

FORK = multiprocessing.get_context("fork")
WRITERS, WRITES = 8, 25


def run_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked child; return its wait status."""
    pid = os.fork()
    if not pid:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1]


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write_many(root: Path, writer: int) -> None:
    for n in range(WRITES):
        store = make_store(root)
        store.apps.create(f"app-{writer}-{n}")
        store.config.change(1, {f"KEY_{writer}_{n}": "value"})
        if n % 5 == 0:
            store.close()


def test_the_migrations_are_those_of_the_code_that_was_loaded_before_the_fork() -> None:
    ask = "from paas.state import migrate; print(migrate._files.cache_info().currsize)"
    done = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "1\n"


def test_eight_processes_writing_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [FORK.Process(target=write_many, args=(tmp_path, n)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    store = make_store(tmp_path)
    apps = store.apps.list()
    assert len(apps) == WRITERS * WRITES == len(store.config.get(1))
    assert {app.network_index for app in apps} == set(range(WRITERS * WRITES))
    assert [finding.level for finding in store.check()] == ["ok"]
    store.close()


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Let somebody else, such as a backup, hold the write lock."""
    with closing(make_store(tmp_path)) as store:
        assert store.apps.list() == ()
    with closing(sqlite3.connect(tmp_path / "paas.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def test_who_writes_waits_for_a_locked_database(tmp_path: Path, lock: sqlite3.Connection) -> None:
    # A thread: SQLite believes a forked child to hold what its parent has locked.
    with ThreadPoolExecutor(1) as threads:
        written = threads.submit(write_many, tmp_path, 1)
        with pytest.raises(TimeoutError):
            written.result(0.3)
        lock.execute("COMMIT")
        written.result()


def test_a_database_that_stays_locked_is_named(
    tmp_path: Path, lock: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paas.state.database.BUSY_SECONDS", 0.05)
    assert lock.in_transaction
    store = make_store(tmp_path)
    assert store.apps.list() == ()  # readers are held up by nobody
    with pytest.raises(Unavailable, match="was locked for"):
        store.apps.create("shop")
    store.close()


def test_only_the_owner_may_read_the_files(store: SqliteStore, shop: App, tmp_path: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"paas.db": 0o600, "paas.db-wal": 0o600, "paas.db-shm": 0o600}


def test_the_connection_keeps_what_it_promises(store: SqliteStore) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}
    rows = {name: store._database.row(f"PRAGMA {name}") for name in wanted}
    assert {name: row[0] for name, row in rows.items() if row} == wanted


def test_a_forked_child_opens_a_connection_of_its_own(store: SqliteStore, shop: App) -> None:
    parent = store._database._connected()

    def work() -> None:
        assert store._database._connected() is not parent
        store.apps.create("child")

    assert run_child(work) == 0
    assert store._database._connected() is parent
    assert {app.name for app in store.apps.list()} == {"child", "shop"}


def test_a_closed_store_opens_again(store: SqliteStore, shop: App) -> None:
    store.close()
    store.close()
    assert store.apps.list() == (shop,)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.apps.create("shop")
    with store._database.write():
        store._database.execute("PRAGMA user_version = 99")
    with pytest.raises(Outdated):  # also with a connection that was opened before
        store.require_known()
    store.close()
    with pytest.raises(Outdated, match=r"newer paas \(schema 99") as refused:
        make_store(tmp_path).apps.list()
    assert "systemctl restart paas" in refused.value.hint


def test_the_migrations_are_numbered_without_gaps() -> None:
    files = sorted(FOLDER.glob("*.sql"))
    assert [int(f.name[:4]) for f in files] == list(range(1, len(files) + 1))


def migrations(folder: Path, *scripts: str) -> Path:
    folder.mkdir()
    for number, script in enumerate(scripts, start=1):
        (folder / f"{number:04}_x.sql").write_text(script)
    return folder


def open_plain(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_a_failing_migration_leaves_the_old_schema(tmp_path: Path) -> None:
    folder = migrations(
        tmp_path / "m",
        "CREATE TABLE a (x);",
        "CREATE TABLE b (x);\nINSERT INTO nowhere VALUES (1);",
    )
    connection = open_plain(tmp_path / "x.db")
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, folder)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    assert connection.execute("PRAGMA user_version").fetchone() == (0,)
    connection.close()


def test_a_kill_in_the_middle_of_a_migration_leaves_the_old_schema(tmp_path: Path) -> None:
    connection = open_plain(tmp_path / "x.db")
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection, migrations(tmp_path / "one", "CREATE TABLE a (x);"))
    folder = migrations(
        tmp_path / "two",
        "CREATE TABLE a (x);",
        "CREATE TABLE b (x);\nINSERT INTO b VALUES (1);\nSELECT die();",
    )

    def work() -> None:
        mine = open_plain(tmp_path / "x.db")
        mine.create_function("die", 0, die)
        migrate(mine, folder)

    assert run_child(work) == signal.SIGKILL
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("a",)]
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()


def test_a_kill_in_the_middle_of_a_commit_leaves_the_old_release(
    store: SqliteStore, shop: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = release(store, shop, {"KEY": "old"})
    containers = store.containers.of(shop.id)
    monkeypatch.setattr(commit_point, "make_current", die)
    assert run_child(lambda: release(store, shop, {"KEY": "new"})) == signal.SIGKILL
    assert store.releases.list(shop.id) == (before,)
    assert store.config.get(shop.id) == {"KEY": "old"}
    assert store.containers.of(shop.id)[0] == containers[0]
    assert [d.state for d in store.deploys.unfinished()] == ["switched", "received"]


def test_a_change_outside_of_a_transaction_is_a_mistake(store: SqliteStore) -> None:
    with pytest.raises(RuntimeError):
        store._database.execute("DELETE FROM apps")


def test_a_full_disk_says_so_and_keeps_the_old_state(store: SqliteStore, shop: App) -> None:
    pages = store._database.row("PRAGMA page_count")
    assert pages
    store._database.rows(f"PRAGMA max_page_count = {pages[0]}")
    with pytest.raises(DiskFull):
        store.config.change(shop.id, {f"KEY_{n}": "x" * 60_000 for n in range(10)})
    assert store.config.get(shop.id) == {}


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.apps.create("shop")
    store.close()
    with (tmp_path / "paas.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    assert [finding.level for finding in store.check()] == ["fail"]
    with pytest.raises(Unavailable):
        store.apps.list()
    store.close()


def test_a_missing_database_is_not_made_but_told_of(tmp_path: Path) -> None:
    """Its disk may not be mounted, and apps that it does not know would be removed."""
    store = SqliteStore(Settings(root=tmp_path))
    with pytest.raises(Unavailable, match="There is no database") as caught:
        store.apps.list()
    assert "paas setup" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        SqliteStore(Settings(root=tmp_path / "missing")).make()
    assert "paas setup" in caught.value.hint


def test_before_the_schema_moves_a_copy_is_kept(tmp_path: Path) -> None:
    database = tmp_path / "paas.db"
    first = migrations(tmp_path / "one", "CREATE TABLE a (x);")
    both = migrations(tmp_path / "two", "CREATE TABLE a (x);", "DROP TABLE a;")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        migrate(connection, first)
        connection.execute("INSERT INTO a VALUES ('kept')")
        migrate(connection, both)
    copy = tmp_path / "paas.db.schema-1"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as old:
        assert old.execute("SELECT x FROM a").fetchall() == [("kept",)]
    assert sorted(path.name for path in tmp_path.glob("*paas.db*")) == ["paas.db", copy.name]


@pytest.fixture
def moving(tmp_path: Path) -> tuple[Path, Path]:
    """A database with the first of two migrations, and the folder of both."""
    first = migrations(tmp_path / "one", "CREATE TABLE a (x);")
    with closing(open_plain(tmp_path / "paas.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, first)
    both = migrations(tmp_path / "two", "CREATE TABLE a (x);", "CREATE TABLE b (x);")
    return tmp_path / "paas.db", both


def test_a_kill_while_the_copy_is_made_leaves_nothing_for_long(
    moving: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, both = moving
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        assert run_child(lambda: migrate(open_plain(database), both)) == signal.SIGKILL
    with closing(open_plain(database)) as connection:
        migrate(connection, both)
    found = {path.name for path in database.parent.iterdir() if path.is_file()}
    assert found == {"paas.db", "paas.db.schema-1"}


def test_nothing_is_written_between_the_copy_and_the_new_schema(
    moving: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, both = moving
    really, said = Path.replace, list[str]()

    def write_meanwhile(self: Path, target: Path) -> Path:
        with closing(sqlite3.connect(database, timeout=0)) as other:
            try:
                other.execute("INSERT INTO a VALUES ('lost')")
            except sqlite3.OperationalError as error:
                said.append(str(error))
        return really(self, target)

    monkeypatch.setattr(Path, "replace", write_meanwhile)
    with closing(open_plain(database)) as connection:
        migrate(connection, both)
    assert said == ["database is locked"]


def test_another_version_s_reach_is_known_before_it_is_started(
    moving: tuple[Path, Path], tmp_path: Path
) -> None:
    database, both = moving
    refuse_newer(database, both)
    refuse_newer(tmp_path / "none.db", tmp_path / "older")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(PaasError, match=r"newer paas \(schema 1, this one knows 0\)"):
        refuse_newer(database, tmp_path / "older")
