"""Nouns for tests: apps, deploys and releases in a real SQLite file."""

from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from paas.model import LOCAL_ADMIN, App, Candidate, Container, Image, ProcessType, Release
from paas.settings import Settings
from paas.state.store import SqliteStore


def make_store(root: Path) -> SqliteStore:
    """Return a store whose database is made where the folder is there."""
    store = SqliteStore(Settings(root=root))
    if root.is_dir():
        store.make()
    return store


def ready_store(settings: Settings) -> SqliteStore:
    """Return a store whose file is a copy of one that was made, and migrated, once."""
    if not settings.database.exists():
        settings.root.mkdir(parents=True, exist_ok=True)
        settings.database.touch(0o600)
        settings.database.write_bytes(_empty_database())
    return SqliteStore(settings)


@cache
def _empty_database() -> bytes:
    with TemporaryDirectory() as folder:
        settings = Settings(root=Path(folder))
        with closing(SqliteStore(settings)) as store:
            store.make()
            store.apps.list()
        return settings.database.read_bytes()


def make_candidate(
    image: str = "sha256:1", config: Mapping[str, str] | None = None, port: int = 5000
) -> Candidate:
    web = ProcessType("web", "serve")
    return Candidate(
        Image(image, 1, volumes=("/data",)), (web,), config or {}, port, None, "static"
    )


def make_container(
    store: SqliteStore, app: App, deploy: int, process_type: str = "web", slot: int = 1
) -> Container:
    reserved = store.containers.reserve(app, deploy, process_type, slot, 5000)
    return store.containers.started(reserved, f"{deploy}-{process_type}-{slot}")


def release(
    store: SqliteStore, app: App, config: Mapping[str, str] | None = None
) -> tuple[Release, Container]:
    """Deploy the app up to its commit point, with one web process."""
    deploy = store.deploys.start(app.id, LOCAL_ADMIN, "push", "a" * 40, "master")
    web = make_container(store, app, deploy.id)
    candidate = make_candidate(f"sha256:{deploy.id}", config)
    return store.deploys.commit(deploy.id, candidate, [web], config), web
