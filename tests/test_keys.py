import base64
import multiprocessing
import os
import pwd
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from paas.errors import InvalidName, Unavailable
from paas.keys import authorized_lines, parse_key, write_authorized_keys
from paas.settings import Settings
from tests.builders import make_store

FORK = multiprocessing.get_context("fork")
KINDS = [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "3072")]


@pytest.fixture(scope="session")
def make_key(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a key pair with ssh-keygen once; return the public file."""
    folder = tmp_path_factory.mktemp("keys")

    def make(kind: str = "ed25519", bits: str = "256") -> Path:
        path = folder / f"{kind}-{bits}"
        if not path.exists():
            command = ["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-f", str(path)]
            subprocess.run([*command, "-C", "anna@laptop"], check=True, timeout=60)
        return path.with_suffix(".pub")

    return make


def field(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def line(kind: str, *fields: bytes) -> str:
    blob = b"".join(field(value) for value in (kind.encode(), *fields))
    return f"{kind} {base64.b64encode(blob).decode()} comment\n"


@pytest.mark.parametrize(("kind", "bits"), KINDS)
def test_a_key_of_ssh_keygen_is_read_as_ssh_keygen_reads_it(
    make_key: Callable[..., Path], kind: str, bits: str
) -> None:
    path = make_key(kind, bits)
    key = parse_key("anna", path.read_text())
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(path)], check=True, timeout=10, capture_output=True, text=True
    )
    assert key.fingerprint == shown.stdout.split()[1]
    assert [key.type, key.blob] == path.read_text().split()[:2]


@pytest.mark.parametrize(
    "text",
    [
        line("sk-ssh-ed25519@openssh.com", b"x" * 32, b"ssh:"),
        line("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", b"\4" + b"x" * 64, b"ssh:"),
    ],
)
def test_a_hardware_key_is_accepted(text: str) -> None:
    assert parse_key("anna", text).type == text.split(maxsplit=1)[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 !!!!",
        "ssh-ed25519 AAAA",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
        line("ssh-dss", b"x" * 32),
        line("ssh-ed25519", b"x" * 31),
        line("ssh-ed25519", b"x" * 32, b"more"),
        line("ssh-rsa", b"\1\0\1", b"\xff" * 256),
        line("ssh-rsa", b"\1\0\1", b"\xff" * 4096),
        line("ecdsa-sha2-nistp256", b"nistp384", b"\4" + b"x" * 64),
        line("ecdsa-sha2-nistp256", b"nistp256", b"\2" + b"x" * 64),
        line("sk-ssh-ed25519@openssh.com", b"x" * 32),
        line("ssh-ed25519", b"x" * 32) * 2,
        line("ssh-ed25519", b"x" * 32) + "command=evil",
        'command="evil" ' + line("ssh-ed25519", b"x" * 32),
        "ssh-rsa " + line("ssh-ed25519", b"x" * 32).split()[1],
    ],
)
def test_what_is_no_good_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidName) as caught:
        parse_key("anna", text)
    assert caught.value.hint


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(root=tmp_path, door_user="nobody")
    made.run.mkdir()
    made.door.mkdir()
    return made


def test_the_doors_get_a_file_that_sshd_understands(
    settings: Settings, make_key: Callable[..., Path]
) -> None:
    store = make_store(settings.root)
    store.keys.add(parse_key("anna", make_key().read_text()))
    store.keys.add(parse_key("bob", make_key("rsa", "3072").read_text()))
    write_authorized_keys(settings, store.keys)
    path = settings.door / "authorized_keys"
    listed = subprocess.run(
        ["ssh-keygen", "-lf", str(path)], check=True, timeout=10, capture_output=True, text=True
    ).stdout.splitlines()
    assert [text.split()[1:3] for text in listed] == [
        [key.fingerprint, key.name] for key in store.keys.list()
    ]
    command = f"PAAS_ROOT={settings.root} exec paas door --key "
    assert all(
        text.startswith(f'restrict,pty,command="{command}SHA256:')
        for text in path.read_text().splitlines()
    )
    info = path.stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid) == (0o640, os.geteuid())
    assert info.st_gid == pwd.getpwnam("nobody").pw_gid
    assert [path] == list(settings.door.iterdir())
    store.close()


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_shell_becomes_the_door_and_hands_it_the_data_root(
    settings: Settings, tmp_path: Path, shell: str
) -> None:
    paas = tmp_path / "paas"
    paas.write_text('#!/bin/sh\necho "$PAAS_ROOT" "$$" "$@"\n')
    paas.chmod(0o755)
    text = authorized_lines(settings, [parse_key("anna", line("ssh-ed25519", bytes(32)))])
    [command] = re.findall('command="([^"]*)"', text)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    with subprocess.Popen(
        [shell, "-c", command], env=environ, stdout=subprocess.PIPE, text=True
    ) as running:
        said, _ = running.communicate(timeout=10)
    assert said.startswith(f"{settings.root} {running.pid} door --key SHA256:")


def add_keys(settings: Settings, writer: int) -> None:
    store = make_store(settings.root)
    for n in range(10):
        public = bytes([writer, n]) * 16
        store.keys.add(parse_key(f"key-{writer}-{n}", line("ssh-ed25519", public)))
        write_authorized_keys(settings, store.keys)
    store.close()


def test_two_writers_at_once_lose_no_key(settings: Settings) -> None:
    writers = [FORK.Process(target=add_keys, args=(settings, n)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    names = [
        text.split()[-1] for text in (settings.door / "authorized_keys").read_text().splitlines()
    ]
    assert sorted(names) == sorted(f"key-{w}-{n}" for w in range(4) for n in range(10))


def test_a_quote_in_the_root_stays_inside_the_command(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path / 'a"b', door_user="nobody")
    settings.run.mkdir(parents=True)
    settings.door.mkdir()
    store = make_store(settings.root)
    store.keys.add(parse_key("anna", line("ssh-ed25519", b"x" * 32)))
    write_authorized_keys(settings, store.keys)
    store.close()
    listed = subprocess.run(
        ["ssh-keygen", "-lf", str(settings.door / "authorized_keys")], timeout=10, check=False
    )
    assert listed.returncode == 0


@pytest.mark.parametrize("missing", [{"door_user": "nobody-here"}, {"root": Path("/nowhere")}])
def test_a_host_that_is_not_set_up_is_told_so(
    settings: Settings, missing: dict[str, object]
) -> None:
    values = {"root": settings.root, "door_user": "nobody", **missing}
    broken = Settings(**values)  # type: ignore[arg-type]  # one of two fields
    store = make_store(settings.root)
    with pytest.raises(Unavailable) as caught:
        write_authorized_keys(broken, store.keys)
    assert "paas setup" in caught.value.hint
    store.close()
