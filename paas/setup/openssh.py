"""The OpenSSH door: one drop-in for the sshd that the host has, and nothing else of its files.

sshd then takes the keys of paas's user from the same authorized_keys as the embedded door; each
key's forced command is `paas door`. See sshd_config(5) and docs/openssh.md.
"""

import pwd
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from paas.errors import PaasError, Unavailable
from paas.settings import Settings
from paas.setup import sshd
from paas.setup.host import require_own_user

Report = Callable[[str], object]
Texts = dict[Path, str]  # of drop-ins
HOST = Path("/etc/ssh")
SHELL = "/bin/sh"  # sshd gives a forced command to the user's shell
NO_SHELL = "/usr/sbin/nologin"
# ForceCommand and ChrootDirectory of the host's own would come before the command of a key, and a
# certificate of its authority has none: its owner would have the shell.
HEAD = "# Written by paas setup"
TEXT = f"""\
{HEAD}, for git push and commands. `openssh = false` in paas.toml removes it.
Match User {{user}}
    AuthorizedKeysFile {{keys}}
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
    ClientAliveInterval 60
    ClientAliveCountMax 3
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
    wanted = {_file(settings, etc): _text(settings)} if settings.openssh else {}
    now = _found(settings, etc)
    if wanted:
        require_own_user(settings)
    else:
        _give_shell(settings, NO_SHELL, report)
    if wanted != now or _unread(settings, etc).exists():
        if wanted:
            _check(_text(settings), etc)
        _exchange(settings, wanted, now, etc)
        for file in sorted(now.keys() - wanted.keys()):
            report(f"removed {file}")
        for file in wanted:
            report(f"wrote {file}")
        if etc != HOST or _let_sshd_read(settings, etc, report):
            _unread(settings, etc).unlink()
    if wanted:
        _give_shell(settings, SHELL, report)


def close_openssh_door(settings: Settings, report: Report, etc: Path = HOST) -> None:
    """Take the drop-in away for good: paas leaves, and no later setup lets sshd know."""
    open_openssh_door(replace(settings, openssh=False), report, etc)
    _unread(settings, etc).unlink(missing_ok=True)


def _file(settings: Settings, etc: Path) -> Path:
    """Return the drop-in's path: read before the host's own, as the first Match that fits wins."""
    return etc / "sshd_config.d" / f"00-{settings.instance}.conf"


def _unread(settings: Settings, etc: Path) -> Path:
    """Return the mark of a change that sshd has not read: we were killed, or it could not."""
    return _file(settings, etc).with_suffix(".unread")


def _found(settings: Settings, etc: Path) -> Texts:
    """Return what is there of us, also under the name of earlier versions, if it is ours."""
    file = _file(settings, etc)
    old = file.with_name(f"60-{settings.instance}.conf")
    found = {path: path.read_text() for path in (file, old) if path.exists()}
    return {path: text for path, text in found.items() if path == file or text.startswith(HEAD)}


def _text(settings: Settings) -> str:
    return TEXT.format(user=settings.door_user, keys=settings.door / "authorized_keys")


def _check(wanted: str, etc: Path) -> None:
    sshd.require_drop_ins(etc)
    sshd.require_valid(etc / "sshd_config")
    sshd.try_out(wanted, etc)


def _exchange(settings: Settings, wanted: Texts, now: Texts, etc: Path) -> None:
    """Put the files in place of what is there `now`, and that back unless sshd obeys them."""
    unread = _unread(settings, etc)
    was_unread = unread.exists()
    unread.touch()
    try:
        _put(wanted, instead_of=now)
        for text in wanted.values():
            sshd.require_effect(text, settings.door_user, etc / "sshd_config")
    except BaseException:
        _put(now, instead_of=wanted)
        if not was_unread:
            unread.unlink()
        raise


def _put(texts: Texts, instead_of: Texts) -> None:
    for file, text in texts.items():
        new = file.with_name(f".{file.name}.new")  # sshd reads *.conf only
        new.write_text(text)
        new.chmod(0o644)
        new.replace(file)
    for file in instead_of.keys() - texts.keys():
        file.unlink(missing_ok=True)


def _let_sshd_read(settings: Settings, etc: Path, report: Report) -> bool:
    """Reload sshd; return whether it has read what is there.

    When the door goes, an sshd that is broken is no reason to fail: that is said.
    """
    try:
        sshd.reload(etc / "sshd_config", report)
    except PaasError as error:
        if settings.openssh:
            raise
        for line in (error.message, *error.details):
            report(line)
        return False
    return True


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
