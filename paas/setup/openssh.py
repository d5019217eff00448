"""The OpenSSH door: one drop-in for the sshd that the host has, and nothing else of its files.

sshd then takes the keys of paas's user from the same authorized_keys as the embedded door; each
key's forced command is `paas door`. See sshd_config(5) and docs/openssh.md.
"""

import pwd
from collections.abc import Callable
from pathlib import Path

from paas.errors import PaasError, Unavailable
from paas.settings import Settings
from paas.setup import sshd
from paas.setup.host import require_own_user

Report = Callable[[str], object]
HOST = Path("/etc/ssh")
SHELL = "/bin/sh"  # sshd gives a forced command to the user's shell
NO_SHELL = "/usr/sbin/nologin"
# ForceCommand and ChrootDirectory of the host's own would come before the command of a key, and a
# certificate of its authority has none: its owner would have the shell.
TEXT = """\
# Written by paas setup, for git push and commands. `openssh = false` in paas.toml removes it.
Match User {user}
    AuthorizedKeysFile {keys}
    AuthorizedKeysCommand none
    TrustedUserCAKeys none
    PubkeyAuthentication yes
    AuthenticationMethods publickey
    PasswordAuthentication no
    KbdInteractiveAuthentication no
    ForceCommand none
    ChrootDirectory none
    PermitTTY yes
    DisableForwarding yes
    PermitTunnel no
    PermitUserRC no
    AcceptEnv GIT_PROTOCOL
    AcceptEnv LANG
    AcceptEnv NO_COLOR
    AcceptEnv FORCE_COLOR
Match all
"""


def open_openssh_door(settings: Settings, report: Report, etc: Path = HOST) -> None:
    """Put the drop-in in place, or take it away, as the settings say, and let sshd read it.

    `etc` is where sshd_config stands. Nothing is changed unless sshd accepts its configuration
    before and with the drop-in, and lets the drop-in alone speak for the doors' user. Raises
    UsageError for a user that setup did not make, Unavailable.
    """
    file = etc / "sshd_config.d" / f"60-{settings.instance}.conf"
    unread = file.with_suffix(".unread")  # it stays if we are killed before sshd reads the file
    wanted = _text(settings) if settings.openssh else None
    now = file.read_text() if file.exists() else None
    if wanted:
        require_own_user(settings)
    else:
        _give_shell(settings, NO_SHELL, report)
    if wanted != now or unread.exists():
        if wanted:
            _check(wanted, etc)
        unread.touch()
        _exchange(settings, file, wanted, now)
        report(f"wrote {file}" if wanted else f"removed {file}")
        if etc == HOST:
            _let_sshd_read(settings, report)
        unread.unlink()
    if wanted:
        _give_shell(settings, SHELL, report)


def _text(settings: Settings) -> str:
    return TEXT.format(user=settings.door_user, keys=settings.door / "authorized_keys")


def _check(wanted: str, etc: Path) -> None:
    sshd.require_drop_ins(etc)
    sshd.require_valid(etc / "sshd_config")
    sshd.try_out(wanted, etc)


def _exchange(settings: Settings, file: Path, wanted: str | None, now: str | None) -> None:
    """Put the file in place of what is there `now`, and that back if sshd would not obey it."""
    _put(file, wanted)
    try:
        if wanted:
            sshd.require_effect(wanted, settings.door_user, file.parent.parent / "sshd_config")
    except PaasError:
        _put(file, now)
        if wanted != now:  # sshd has read what is there
            file.with_suffix(".unread").unlink()
        raise


def _put(file: Path, text: str | None) -> None:
    if text is None:
        file.unlink(missing_ok=True)
        return
    new = file.with_name(f".{file.name}.new")  # sshd reads *.conf only
    new.write_text(text)
    new.chmod(0o644)
    new.replace(file)


def _let_sshd_read(settings: Settings, report: Report) -> None:
    """Reload sshd; when paas leaves, an sshd that is broken or gone is no reason to stay."""
    try:
        sshd.reload(report)
    except PaasError as error:
        if settings.openssh:
            raise
        report(error.message)


def _give_shell(settings: Settings, shell: str, report: Report) -> None:
    """Give the user that setup made a shell; leave another one's alone.

    Its password matches nothing, but does not lock it out, as sshd sees "!" (sshd(8)).
    """
    try:
        user = pwd.getpwnam(settings.door_user)
    except KeyError:  # a setup that stopped half-way
        return
    if user.pw_shell == shell or user.pw_dir != str(settings.door):
        return
    done = sshd.run("usermod", "--shell", shell, "--password", "*", user.pw_name)
    if done.returncode:
        raise Unavailable(f"{user.pw_name} got no shell", details=(done.stderr.strip(),))
    report(f"{user.pw_name} has the shell {shell}")
