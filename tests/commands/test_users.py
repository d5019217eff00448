import json

import pytest

from paas.model import App
from tests.commands.conftest import Person, public_key


def users(paas: Person) -> dict[str, str]:
    rows = json.loads(paas("users:list", "--format", "json").out)
    return {row["name"]: row["role"] for row in rows}


def test_the_first_key_makes_an_admin_and_later_ones_members(paas: Person) -> None:
    for name in ("anna", "ben"):
        assert paas("ssh-keys:add", name, text_in=public_key(name)).status == 0
    paas("ssh-keys:add", "carla", "--admin", text_in=public_key("carla"))
    assert users(paas) == {"anna": "admin", "ben": "member", "carla": "admin"}


def test_a_first_key_can_be_a_members(paas: Person) -> None:
    paas("ssh-keys:add", "demo", "--member", text_in=public_key("demo"))
    paas("ssh-keys:add", "anna", text_in=public_key("anna"))
    assert users(paas) == {"demo": "member", "anna": "admin"}


def test_a_user_can_have_several_keys(paas: Person) -> None:
    paas("users:add", "anna")
    for name in ("laptop", "desktop"):
        paas("ssh-keys:add", name, "--user", "anna", text_in=public_key(name))
    assert paas.typing("desktop", "apps:create", "shop").status == 0
    assert paas.typing("laptop", "users:report", "--users-apps").out == "shop:owner\n"
    keys = json.loads(paas("ssh-keys:list", "--format", "json").out)
    assert [(key["name"], key["user"]) for key in keys] == [("desktop", "anna"), ("laptop", "anna")]


def test_a_key_needs_a_user_that_exists_and_changes_no_role(paas: Person) -> None:
    paas.user("ben")
    text = public_key("new")
    assert paas("ssh-keys:add", "new", "--user", "nobody", text_in=text).status == 20
    assert paas("ssh-keys:add", "new", "--user", "ben", "--admin", text_in=text).status == 2
    paas("ssh-keys:remove", "ben")
    assert paas("ssh-keys:add", "ben", "--admin", text_in=text).status == 2
    assert users(paas) == {"ben": "member"}


@pytest.mark.parametrize("name", ["root", "paas", "a b", ""])
def test_a_user_is_not_called_like_paas_itself(paas: Person, name: str) -> None:
    assert paas("users:add", name).status == 2
    assert paas("ssh-keys:add", name, text_in=public_key("x")).status == 2


def test_a_user_is_added_once(paas: Person) -> None:
    assert "as admin" in paas("users:add", "anna").out
    assert "There is a user anna already" in paas("users:add", "anna").err


def test_a_removed_user_is_nobody(paas: Person, shop: App) -> None:
    paas.user("ben", "owner", "shop")
    assert paas("users:remove", "ben").status == 0
    assert paas.typing("ben", "version").status == 1
    assert paas.store.keys.list() == ()
    assert public_key("ben").split()[1] not in (paas.settings.door / "authorized_keys").read_text()
    assert paas("users:remove", "ben").status == 20


def test_a_role_is_changed(paas: Person, shop: App) -> None:
    paas.user("ben")
    assert paas.typing("ben", "apps:exists", "shop").status == 20
    assert paas("users:set", "ben", "role", "admin").status == 0
    assert paas.typing("ben", "apps:exists", "shop").status == 0
    paas("users:set", "ben", "role", "member")
    assert paas.typing("ben", "apps:exists", "shop").status == 20


def test_members_see_themselves_and_admins_everybody(paas: Person) -> None:
    for name in ("ben", "carla"):
        paas.user(name)
    assert "Role:        member" in paas.typing("ben", "users:report").out
    assert paas.typing("ben", "users:report", "carla").status == 1
    assert paas.typing("ben", "users:list").status == 1
    assert [
        line.split()[0] for line in paas.typing("ben", "--quiet", "ssh-keys:list").out.splitlines()
    ] == ["ben"]
    assert paas.over_ssh("users:report", "carla").status == 0
    assert paas("users:report").status == 20, "root is no user"


def test_users_are_managed_on_the_host_only(paas: Person) -> None:
    paas.user("ben")
    for argv in (
        ("users:add", "x"),
        ("users:remove", "ben"),
        ("users:set", "ben", "role", "admin"),
    ):
        assert "root on the host" in paas.over_ssh(*argv).err
    assert users(paas)["ben"] == "member"
