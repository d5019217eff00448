import pytest

from paas.errors import Conflict, NotFound
from paas.model import SshKey
from paas.state.store import SqliteStore


def key(name: str, fingerprint: str) -> SshKey:
    return SshKey(name, "ssh-ed25519", f"blob-{fingerprint}", fingerprint, 1.0, user=name)


def test_keys_are_listed_by_name(store: SqliteStore) -> None:
    zoe, anna = key("zoe", "SHA256:z"), key("anna", "SHA256:a")
    store.keys.add(zoe)
    store.keys.add(anna)
    assert store.keys.list() == (anna, zoe)


@pytest.mark.parametrize("second", [key("anna", "SHA256:b"), key("bob", "SHA256:a")])
def test_name_and_fingerprint_are_given_once(store: SqliteStore, second: SshKey) -> None:
    store.keys.add(key("anna", "SHA256:a"))
    with pytest.raises(Conflict, match="anna") as caught:
        store.keys.add(second)
    assert "ssh-keys:remove anna" in caught.value.hint
    assert len(store.keys.list()) == 1


def test_a_removed_key_is_gone(store: SqliteStore) -> None:
    store.keys.add(key("anna", "SHA256:a"))
    assert store.keys.remove("anna").fingerprint == "SHA256:a"
    assert store.keys.list() == ()
    with pytest.raises(NotFound):
        store.keys.remove("anna")
