"""The OpenSSH door: one drop-in for the sshd that the host has, and nothing else of its files.

sshd then takes the keys of paas's user from the same authorized_keys as the embedded door; each
key's forced command is `paas door`. See sshd_config(5) and docs/openssh.md.
"""

import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from paas.errors import PaasError, Unavailable
from paas.settings import Settings

Report = Callable[[str], object]
HOST = Path("/etc/ssh")
SHELL = "/bin/sh"  # sshd gives a forced command to the user's shell
NO_SHELL = "/usr/sbin/nologin"
TEXT = """\
# Written by paas setup, for git push and commands. `openssh = false` in paas.toml removes it.
Match User {user}
    AuthorizedKeysFile {keys}
    AuthorizedKeysCommand none
    AuthenticationMethods publickey
    PasswordAuthentication no
    KbdInteractiveAuthentication no
    DisableForwarding yes
    PermitTunnel no
    PermitUserRC no
    AcceptEnv GIT_PROTOCOL LANG NO_COLOR FORCE_COLOR
Match all
"""


def open_openssh_door(settings: Settings, report: Report, etc: Path = HOST) -> None:
    """Put the drop-in in place, or take it away, as the settings say, and let sshd read it.

    `etc` is where sshd_config stands. Nothing is changed unless sshd accepts its configuration
    before and with the drop-in. Raises Unavailable.
    """
    file = etc / "sshd_config.d" / f"60-{settings.instance}.conf"
    wanted = _text(settings) if settings.openssh else None
    now = file.read_text() if file.exists() else None
    if wanted:
        _give_shell(settings, SHELL, report)
    if wanted == now:
        return
    if wanted is None:
        file.unlink()
        _give_shell(settings, NO_SHELL, report)
        report(f"removed {file}")
    else:
        _require_drop_ins(etc)
        _test(etc / "sshd_config")
        _try(wanted, etc)
        _write(file, wanted)
        report(f"wrote {file}")
    _test(etc / "sshd_config")
    if etc == HOST:
        _reload(report)


def _text(settings: Settings) -> str:
    return TEXT.format(user=settings.door_user, keys=settings.door / "authorized_keys")


def _require_drop_ins(etc: Path) -> None:
    """Raise Unavailable unless sshd reads sshd_config.d, as it does on Debian and Ubuntu."""
    config = etc / "sshd_config"
    if not config.is_file():
        raise Unavailable("There is no OpenSSH server here", hint="apt-get install openssh-server")
    drop_ins = f"{etc}/sshd_config.d/*.conf"
    lines = config.read_text().splitlines()
    includes = (line.split()[1:] for line in lines if line.startswith("Include"))
    if not any(drop_ins in words for words in includes):
        raise Unavailable(
            f"{config} does not read {etc}/sshd_config.d",
            hint=f"Put this at its top: Include {drop_ins}",
        )


def _try(text: str, etc: Path) -> None:
    """Test the host's configuration with the drop-in, before anything is in its place."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as candidate:
        candidate.write(f"{text}Include {etc}/sshd_config\n")
        candidate.flush()
        _test(Path(candidate.name))


def _test(config: Path) -> None:
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd wants it, and its unit makes it
    done = _run(_sshd(), "-t", "-f", str(config))
    if done.returncode:
        raise Unavailable(
            "sshd refuses its configuration; nothing was changed",
            details=tuple(done.stderr.splitlines()[-5:]),
            hint="Mend what it says, then run: paas setup",
        )


def _write(file: Path, text: str) -> None:
    new = file.with_name(f".{file.name}.new")  # sshd reads *.conf only
    new.write_text(text)
    new.chmod(0o644)
    new.replace(file)


def _reload(report: Report) -> None:
    """Let a running sshd read its configuration anew; open connections stay (sshd(8), SIGHUP)."""
    if Path("/run/systemd/system").is_dir():
        done = _run("systemctl", "try-reload-or-restart", "ssh.service")
        if done.returncode:
            raise Unavailable("sshd could not be reloaded", details=(done.stderr.strip(),))
        return
    try:
        os.kill(int(Path("/run/sshd.pid").read_text()), signal.SIGHUP)
    except (OSError, ValueError):
        report("sshd does not run here; it reads this when it starts")


def _give_shell(settings: Settings, shell: str, report: Report) -> None:
    """Give the user that setup made a shell; leave another one's alone.

    Its password matches nothing, but does not lock it out, as sshd sees "!" (sshd(8)).
    """
    user = pwd.getpwnam(settings.door_user)
    if user.pw_shell == shell or user.pw_dir != str(settings.door):
        return
    done = _run("usermod", "--shell", shell, "--password", "*", user.pw_name)
    if done.returncode:
        raise Unavailable(f"{user.pw_name} got no shell", details=(done.stderr.strip(),))
    report(f"{user.pw_name} has the shell {shell}")


def _sshd() -> str:
    path = Path("/usr/sbin/sshd")
    if not path.exists():
        raise Unavailable("There is no OpenSSH server here", hint="apt-get install openssh-server")
    return str(path)


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PaasError(f"{command[0]} cannot be run: {error}") from error
