"""What was true before there were roles stays true: every key can do what it could."""

import sqlite3
from pathlib import Path

from paas.model import Actor
from paas.settings import Settings
from paas.state.migrate import FOLDER, migrate
from paas.state.store import SqliteStore


def before_roles(root: Path) -> Path:
    """Make a database of the time before roles, with two keys and an app."""
    old = root / "old"
    old.mkdir()
    for file in sorted(FOLDER.glob("*.sql"))[:3]:
        (old / file.name).write_text(file.read_text())
    path = root / "paas.db"
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, old)
    for name in ("anna", "root"):
        row = (name, "ssh-ed25519", "AAAA", f"SHA256:{name}", 1.0)
        connection.execute("INSERT INTO ssh_keys VALUES (?, ?, ?, ?, ?)", row)
    connection.execute("INSERT INTO apps (name, network_index, created_at) VALUES ('shop', 0, 1)")
    connection.close()
    return path


def test_who_had_a_key_becomes_an_admin(tmp_path: Path) -> None:
    before_roles(tmp_path)
    store = SqliteStore(Settings(root=tmp_path))
    assert [(user.name, user.is_admin) for user in store.users.list()] == [
        ("anna", True),
        ("root", True),
    ]
    actor = store.users.actor("SHA256:anna")
    assert actor == Actor("anna", fingerprint="SHA256:anna", is_admin=True)
    assert [(key.name, key.user) for key in store.keys.list()] == [
        ("anna", "anna"),
        ("root", "root"),
    ]
    assert store.grants.find(actor, "shop")[0].name == "shop"
    assert [finding.level for finding in store.check()] == ["ok"]
    store.close()
