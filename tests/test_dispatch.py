"""Finding, authorising, parsing and failing, without a daemon around it."""

import errno
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import pytest

from paas import dispatch
from paas.commands.declare import REGISTRY, Access, Context, command
from paas.doors.control import Control, Interrupted
from paas.doors.request import Request
from paas.errors import BuildFailed, Forbidden, PaasError
from paas.locks import Locks
from paas.model import LOCAL_ADMIN, SshKey
from paas.settings import Settings
from paas.state.store import SqliteStore

if TYPE_CHECKING:
    from paas.platform import Platform

ANN = SshKey("ann", "ssh-ed25519", "", "SHA256:ann", 0.0)
DOOR_UID = 65534

dispatch.load_commands()  # before a test takes them out of the registry for a moment


@dataclass
class Small:
    """Settings, locks and a real database that knows Ann's key."""

    settings: Settings
    locks: Locks
    store: SqliteStore


def small(root: Path, *, remote_host_verbs: bool = False) -> Small:
    settings = Settings(root=root, remote_host_verbs=remote_host_verbs)
    store = SqliteStore(settings)
    store.make()
    store.keys.add(ANN)
    return Small(settings, Locks(root), store)


@pytest.fixture(name="platform")
def make_platform(tmp_path: Path) -> Iterator[Small]:
    platform = small(tmp_path)
    yield platform
    platform.store.close()


@pytest.fixture(name="registry", autouse=True)
def make_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Declare a few commands for one test only."""
    before = dict(REGISTRY)
    REGISTRY.clear()
    declare()
    yield
    REGISTRY.clear()
    REGISTRY.update(before)


def declare() -> None:
    @command("shop:open", access=Access.DEPLOYER, examples=("shop:open mine",))
    @click.argument("app")
    @click.option("--force", is_flag=True, help="Do not ask.")
    @click.option("--lines", type=int, default=1)
    def _open(context: Context, app: str, force: bool, lines: int) -> int:
        """Open a shop.

        It stays open.
        """
        click.echo(f"{context.actor.name} {app} {force} {lines}")
        return 3

    @command("shop:look", access=Access.ANYONE)
    def _look(context: Context) -> None:
        """Look at shops."""

    @command("host:burn")
    @click.argument("app")
    def _burn(context: Context, app: str) -> None:
        """Burn the host."""
        context.app(app)

    @command("shop:fail", access=Access.DEPLOYER)
    @click.argument("how")
    def _fail(context: Context, how: str) -> None:
        """Fail."""
        raise {
            "paas": BuildFailed("It broke", hint="Mend it\nthen push", details=("last line",)),
            "shown": shown_error(),
            "pipe": BrokenPipeError(),
            "interrupt": KeyboardInterrupt(),
            "hup": Interrupted(1),
            "abort": click.Abort(),
            "exit": click.exceptions.Exit(9),
            "bug": ValueError("secret cause"),
            "full": OSError(errno.ENOSPC, "No space left on device"),
        }[how]

    @command("version", access=Access.ANYONE)
    def _version(context: Context) -> None:
        """Print the version."""
        click.echo("paas 1")


def shown_error() -> PaasError:
    error = BuildFailed("It was shown already")
    error.shown = True
    return error


def local(platform: Small, *argv: str) -> int:
    return dispatch.handle(cast("Platform", platform), Request("local", argv), 0, Control())


def remote(platform: Small, *argv: str, key: str = ANN.fingerprint, uid: int = DOOR_UID) -> int:
    request = Request("ssh", argv, fingerprint=key)
    return dispatch.handle(cast("Platform", platform), request, uid, Control())


# -- who


def test_root_at_the_local_door_is_the_admin(platform: Small) -> None:
    actor = dispatch.find_actor(cast("Platform", platform), Request("local", ()), 0)
    assert actor is LOCAL_ADMIN


@pytest.mark.parametrize(
    ("uid", "request_"),
    [
        (0, Request("ssh", (), fingerprint="SHA256:ann")),
        (0, Request("local", (), fingerprint="SHA256:ann")),
        (0, Request("openssh", ())),
        (DOOR_UID, Request("local", ())),
        (DOOR_UID, Request("local", (), fingerprint="SHA256:ann")),
        (DOOR_UID, Request("ssh", ())),
        (DOOR_UID, Request("ssh", (), fingerprint="")),
        (DOOR_UID, Request("ssh", (), fingerprint="SHA256:eve")),
    ],
)
def test_nobody_else_is_anybody(platform: Small, uid: int, request_: Request) -> None:
    with pytest.raises(Forbidden):
        dispatch.find_actor(cast("Platform", platform), request_, uid)


def test_a_key_that_was_removed_gets_no_help_either(
    platform: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remote(platform, "--help", key="SHA256:gone") == 1
    assert capsys.readouterr().out == ""


def test_a_key_that_is_removed_at_the_last_moment_runs_nothing(
    platform: Small, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = platform.locks.place

    def remove_and_place(fingerprint: str, places: int) -> AbstractContextManager[None]:
        if platform.store.keys.list("ann"):
            platform.store.keys.remove("ann")
        return place(fingerprint, places)

    monkeypatch.setattr(platform.locks, "place", remove_and_place)
    assert remote(platform, "version") == 1
    assert capsys.readouterr().out == ""


# -- may they


def test_a_verb_that_declares_nothing_is_for_the_host(
    platform: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remote(platform, "host:burn", "x") == 1
    assert "only be used by root on the host" in capsys.readouterr().err
    assert local(platform, "host:burn", "x") == 20


def test_the_owner_may_allow_host_verbs_to_keys(tmp_path: Path) -> None:
    platform = small(tmp_path, remote_host_verbs=True)
    assert remote(platform, "host:burn", "x") == 20
    platform.store.users.set_admin("ann", is_admin=False)
    assert remote(platform, "host:burn", "x") == 1, "to those of admins only"
    platform.store.close()


# -- what


@pytest.mark.parametrize(
    ("argv", "printed"),
    [
        (("shop:open", "mine"), "ann mine False 1\n"),
        (("shop:open", "--force", "mine"), "ann mine True 1\n"),
        (("--force", "shop:open", "mine"), "ann mine True 1\n"),
        (("--app", "mine", "shop:open", "--lines", "2"), "ann mine False 2\n"),
        (("--app", "mine", "--force", "shop:open"), "ann mine True 1\n"),
    ],
)
def test_a_command_gets_its_arguments_and_gives_its_status(
    platform: Small, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], printed: str
) -> None:
    assert remote(platform, *argv) == 3
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("shop:open",), "Missing argument 'APP'"),
        (("shop:open", "a", "b"), "unexpected extra argument"),
        (("shop:open", "a", "--forse"), "--force"),
        (("shop:open", "a", "--lines", "many"), "'many' is not a valid integer"),
        (("--force", "shop:look"), "No such option"),
        (("--quiet", "shop:look"), "No such option"),
    ],
)
def test_a_usage_error_exits_2_and_names_the_help(
    platform: Small, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], said: str
) -> None:
    assert local(platform, *argv) == 2
    lines = capsys.readouterr().err.splitlines()
    assert said in lines[0]
    assert lines[-1] == " !     shop:help shows how it is typed"
    assert all(line.startswith(" !     ") for line in lines)


@pytest.mark.parametrize("typed", ["shop:opn", "shp:open", "burn", "--app", "--", "shop:"])
def test_an_unknown_verb_is_not_a_paas_command(
    platform: Small, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    assert local(platform, typed) == 1
    assert f" !     {typed} is not a paas command\n" in capsys.readouterr().err


def test_a_topic_with_arguments_but_without_a_verb_is_told_to_want_one(
    platform: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    assert local(platform, "shop", "blue") == 1
    said = capsys.readouterr().err
    assert "shop wants a verb, as in shop:VERB" in said
    assert "`shop:help` lists what shop has" in said


def test_an_unknown_verb_is_told_the_nearest_one(
    platform: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    local(platform, "shop:opn")
    assert "Did you mean shop:open?" in capsys.readouterr().err


# -- help


@pytest.mark.parametrize(
    "argv",
    [("shop",), ("shop:help",), ("shop", "--help"), ("shop", "-h")],
)
def test_a_topics_help_is_one_text(
    platform: Small, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]
) -> None:
    assert remote(platform, *argv) == 0
    text = capsys.readouterr().out
    assert text.startswith("=====> shop\n")
    assert "-----> shop:open [OPTIONS] APP\n       Open a shop.\n" in text
    assert "--force" in text
    assert "$ shop:open mine" in text
    assert "host:burn" not in text


@pytest.mark.parametrize("argv", [(), ("--help",), ("-h",)])
def test_help_lists_every_topic(
    platform: Small, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]
) -> None:
    assert local(platform, *argv) == 0
    text = capsys.readouterr().out
    assert "       shop     fail, look, open\n" in text
    assert "       version  version\n" in text


def test_the_help_of_one_verb_is_asked_for_behind_it(
    platform: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    assert local(platform, "shop:open", "--help") == 0
    assert "Open a shop." in capsys.readouterr().out


def test_a_verb_without_a_topic_runs_when_it_is_typed(
    platform: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    assert local(platform, "version") == 0
    assert capsys.readouterr().out == "paas 1\n"


# -- failure


def test_an_error_is_shown_once_with_details_and_hint(
    platform: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    assert local(platform, "shop:fail", "paas") == 1
    assert capsys.readouterr().err == (
        " !     It broke\n !     | last line\n !     Mend it\n !     then push\n"
    )


@pytest.mark.parametrize(
    ("how", "status"),
    [("shown", 1), ("pipe", 141), ("interrupt", 130), ("hup", 129), ("abort", 130), ("exit", 9)],
)
def test_an_end_that_needs_no_words_has_none(
    platform: Small, capsys: pytest.CaptureFixture[str], how: str, status: int
) -> None:
    assert local(platform, "shop:fail", how) == status
    assert capsys.readouterr().err == ""


def test_a_bug_shows_a_number_whose_cause_only_the_log_knows(
    platform: Small, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert local(platform, "shop:fail", "bug") == 1
    said = capsys.readouterr().err
    number = said.split()[-1]
    assert "secret cause" not in said
    assert number in caplog.text
    assert "secret cause" in caplog.text


def test_a_full_disk_is_called_so(platform: Small, capsys: pytest.CaptureFixture[str]) -> None:
    assert local(platform, "shop:fail", "full") == 75
    assert "The disk is full" in capsys.readouterr().err


def test_every_module_of_commands_declares_into_the_registry() -> None:
    dispatch.load_commands()
    assert all(name == found.name for name, found in REGISTRY.items())
