"""A platform goes into a file, and comes out of it as another instance."""

import io
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from paas.backup import archive, transfer
from paas.errors import Conflict, PaasError
from paas.model import AuditEntry, ContainerRole, DeployState, Role, SshKey, Token, TokenKey
from paas.reconcile import Reconciler
from tests.world import ANNA, World, make_world


@pytest.fixture
def old(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path / "old") as world:
        prepare(world)
        assert world.push() == "ok"
        world.store.config.change(world.app().id, {"KEY": "value"})
        world.store.keys.add(SshKey("anna", "ssh-ed25519", "AAAA", "SHA256:anna", 1.0))
        (world.settings.hooks / "pre-build.d").mkdir(parents=True)
        hook = world.settings.hooks / "pre-build.d" / "check"
        hook.write_text("#!/bin/sh\n")
        hook.chmod(0o755)
        (world.settings.door / "ssh_host_ed25519_key").write_text("the host's key")
        yield world


@pytest.fixture
def new(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path / "new") as world:
        prepare(world)
        world.settings = replace(world.settings, instance="other")
        world.scheduler.instance = "other"
        yield world


def prepare(world: World) -> None:
    for folder in (world.settings.root, world.settings.door, world.settings.run):
        folder.mkdir(parents=True, exist_ok=True)


def export(world: World, *, with_images: bool = False) -> bytes:
    out = io.BytesIO()
    transfer.export(world.platform, out, print, with_images=with_images)
    return out.getvalue()


def restore(world: World, backup: bytes) -> list[str]:
    said: list[str] = []
    transfer.restore(world.platform, io.BytesIO(backup), said.append)
    return said


def test_apps_config_releases_keys_and_the_owner_s_files_come_back(old: World, new: World) -> None:
    restore(new, export(old))
    assert new.current() == old.current()
    assert new.store.config.get(new.app().id) == {"KEY": "value"}
    assert [key.name for key in new.store.keys.list()] == ["anna"]
    hook = new.settings.hooks / "pre-build.d" / "check"
    assert hook.read_text() == "#!/bin/sh\n"
    assert hook.stat().st_mode & 0o111
    key = new.settings.door / "ssh_host_ed25519_key"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("the host's key", 0o640)
    assert list(new.settings.root.glob(".backup-*")) == []


def test_users_roles_tokens_and_the_audit_log_come_back(old: World, new: World) -> None:
    app = old.app().id
    old.store.users.add("ben")
    old.store.grants.set(app, "ben", Role.DEPLOYER)
    key = SshKey("ci", "ssh-ed25519", "BBBB", "SHA256:ci", 1.0)
    old.store.tokens.add(TokenKey(Token(app, "ci", frozenset({"logs"})), key, "anna"))
    old.store.audit.add(AuditEntry(1.0, "ben", "ssh", None, "logs", "shop", status=0))
    restore(new, export(old))
    assert [(user.name, user.is_admin) for user in new.store.users.list()] == [
        ("anna", True),
        ("ben", False),
    ]
    assert new.store.grants.of_app(new.app().id) == {"ben": Role.DEPLOYER}
    assert [made.token.verbs for made in new.store.tokens.of_app(new.app().id)] == [{"logs"}]
    assert [line.actor for line in new.store.audit.read(9)] == ["ben"]


def test_the_line_of_an_import_is_in_the_log_that_was_imported(old: World, new: World) -> None:
    for n in range(3):
        old.store.audit.add(AuditEntry(float(n), "ben", "ssh", None, "logs"))
    entry = AuditEntry(9.0, "root", "local", None, "backup:import")
    number = new.store.audit.add(entry)
    restore(new, export(old))
    new.store.audit.end(number, replace(entry, status=0, seconds=1.0))
    assert [(line.verb, line.status) for line in new.store.audit.read(9)] == [
        ("backup:import", 0),
        *[("logs", None)] * 3,
    ]


def test_processes_get_addresses_of_the_new_host_and_are_started(old: World, new: World) -> None:
    restore(new, export(old, with_images=True))
    app = new.app()
    [row] = new.store.containers.of(app.id)
    assert row.id == ""
    [was] = old.store.containers.of(app.id)
    assert row.address != was.address
    assert row.address == str(new.settings.subnet(app.network_index)[2])
    Reconciler(new.platform).run()
    [running] = new.scheduler.containers()
    assert running.name == f"other-shop.web.1.{row.deploy_id}"
    assert new.proxy.routes["shop"][0].address == row.address


def test_without_images_apps_are_built_again_from_what_was_kept(old: World, new: World) -> None:
    restore(new, export(old))
    new.scheduler.images = {old.current().image}  # once it is built
    builds = len(new.builder.builds)
    new.scheduler.images = set()
    build = new.builder.build

    def build_and_have(*args: object, **options: object) -> object:
        image = build(*args, **options)  # type: ignore[arg-type] # passed on as they came
        new.scheduler.images = {image.id}
        return image

    new.builder.build = build_and_have  # type: ignore[method-assign,assignment] # as the engine does
    Reconciler(new.platform).run()
    assert len(new.builder.builds) == builds + 1
    assert new.app().version == 2
    assert new.store.containers.of(new.app().id, ContainerRole.CURRENT)[0].id


def test_volumes_stay_behind_and_are_named_on_both_hosts(
    old: World, new: World, capsys: pytest.CaptureFixture[str]
) -> None:
    old.store.storage.create("uploads", 1 << 30)
    backup = export(old)
    assert "carry them over yourself: uploads" in capsys.readouterr().out
    assert "carry them over yourself: uploads" in restore(new, backup)[-1]


def test_images_go_with_it_on_demand(old: World, new: World) -> None:
    restore(new, export(old, with_images=True))
    assert new.builder.images(new.app()) == {old.current().image}


def test_a_deploy_at_work_is_over_in_the_copy(old: World, new: World) -> None:
    record = old.store.deploys.start(old.app().id, ANNA, "push", "c" * 40, "main")
    old.store.containers.reserve(old.app(), record.id, "web", 1, 5000)
    restore(new, export(old))
    assert new.store.deploys.get(record.id).state is DeployState.FAILED
    roles = {row.role for row in new.store.containers.of(new.app().id)}
    assert roles == {ContainerRole.CURRENT}


def test_an_instance_with_apps_is_not_overwritten(old: World, new: World) -> None:
    backup = export(old)
    new.push("mine")
    with pytest.raises(Conflict, match="has apps already"):
        restore(new, backup)
    assert [app.name for app in new.store.apps.list()] == ["mine"]


def rewritten(
    backup: bytes, change: Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes]]
) -> bytes:
    """Return the backup with its members changed by somebody."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(backup)) as old,
        tarfile.open(fileobj=out, mode="w") as new,
    ):
        for member in old:
            file = old.extractfile(member)
            made, data = change(member, file.read() if file else b"")
            made.size = len(data)
            new.addfile(made, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    "name",
    ["../escaped", "/etc/escaped", "hooks/../../escaped", "repos/1.git/config",
     "repos/1.git/hooks/pre-receive", "repos/../escaped", "door/authorized_keys", "hooks/.x/y",
     "repos/1.git/refs/heads/../../../../escaped", "repos/1.git/objects/info/alternates"],
)  # fmt: skip
def test_a_member_with_another_name_is_refused(old: World, new: World, name: str) -> None:
    def rename(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        member.name = name if member.name.startswith("hooks/") else member.name
        return member, data

    with pytest.raises(PaasError, match="must not have"):
        restore(new, rewritten(export(old), rename))
    assert not new.store.apps.list()
    assert not list(new.settings.root.parent.rglob("escaped"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]
)
def test_a_link_or_device_is_refused(old: World, new: World, kind: bytes) -> None:
    def link(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name.startswith("hooks/"):
            member.type, member.linkname, data = kind, "/etc/passwd", b""
        return member, data

    with pytest.raises(PaasError, match="must not have"):
        restore(new, rewritten(export(old), link))


def changed_database(backup: bytes, folder: Path, *statements: str) -> bytes:
    def change(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name == archive.DATABASE:
            (folder / "x.db").write_bytes(data)
            with closing(sqlite3.connect(folder / "x.db", isolation_level=None)) as database:
                database.execute("PRAGMA foreign_keys = OFF")
                for statement in statements:
                    database.execute(statement)
                database.execute("PRAGMA journal_mode = DELETE")
            data = (folder / "x.db").read_bytes()
        return member, data

    return rewritten(backup, change)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA user_version = 999", "newer paas"),
        ("DELETE FROM apps", "not as paas makes it"),
        ("UPDATE containers SET address = '9.9.9.9'", "damaged"),
        ("CREATE TRIGGER t AFTER INSERT ON apps BEGIN DELETE FROM apps; END", "not as paas makes"),
    ],
)
def test_a_database_that_is_newer_or_damaged_is_refused(
    old: World, new: World, tmp_path: Path, statement: str, message: str
) -> None:
    backup = changed_database(export(old), tmp_path, statement)
    with pytest.raises(PaasError, match=message):
        restore(new, backup)
    assert not new.store.apps.list()


def test_what_is_no_backup_or_half_of_one_is_refused(old: World, new: World) -> None:
    backup = export(old)
    for broken in (b"", b"hello" * 1000, backup[: len(backup) // 2], backup[2048:]):
        with pytest.raises(PaasError):
            restore(new, broken)
    assert not new.store.apps.list()
    assert restore(new, backup)
    assert new.app().version == 1


@pytest.mark.parametrize("name", ["hooks/pre-build.d", "hooks/pre-build.d/check/x", "paas.db"])
def test_members_that_are_in_each_other_s_place_are_refused(
    old: World, new: World, name: str
) -> None:
    def take_place(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        member.name = name if member.name.startswith("door/") else member.name
        return member, data

    with pytest.raises(PaasError, match="two of its members"):
        restore(new, rewritten(export(old), take_place))


def test_a_manifest_of_another_shape_is_refused(old: World, new: World) -> None:
    def flatten(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        return member, b"[]" if member.name == archive.MANIFEST else data

    with pytest.raises(PaasError, match="its manifest is none"):
        restore(new, rewritten(export(old), flatten))


def test_an_import_that_fails_late_can_be_done_again(
    old: World, new: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = export(old)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "_put_host_key", die)
        with pytest.raises(KeyboardInterrupt):
            restore(new, backup)
    assert not new.store.apps.list()
    restore(new, backup)
    assert new.app().version == 1


def test_names_that_the_owner_gave_and_that_do_not_fit_are_told(old: World) -> None:
    (old.settings.hooks / "pre-build.d" / "with space").write_text("")
    said: list[str] = []
    transfer.export(old.platform, io.BytesIO(), said.append, with_images=False)
    assert any("with space is left out" in line for line in said)
