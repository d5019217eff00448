"""The host's sshd as setup asks it: is its configuration whole, and what does it do for a user."""

import grp
import os
import pwd
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from paas.errors import PaasError, Unavailable

PROGRAM = Path("/usr/sbin/sshd")
PID_FILE = Path("/run/sshd.pid")
SYSTEMD = Path("/run/systemd/system")  # where sd_booted(3) looks
# sshd(8), -C: a connection from outside, for which no part of the host's own should speak first.
CLIENT = "user={user},host=client.example,addr=192.0.2.1,laddr=192.0.2.2,lport=22"
# How sshd tells, at the debug level 3, which blocks it looks at, in their order.
MATCH = re.compile(r"checking match for '(.*)' user ")
ALWAYS = {"user", "group", "all"}
LISTS = {"allowusers", "denyusers", "allowgroups", "denygroups"}


def require_drop_ins(etc: Path) -> None:
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


def try_out(text: str, etc: Path) -> None:
    """Test the host's configuration with the drop-in, before anything is in its place."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as candidate:
        candidate.write(f"{text}Include {etc}/sshd_config\n")
        candidate.flush()
        require_valid(Path(candidate.name))


def require_valid(config: Path) -> None:
    """Raise Unavailable unless sshd takes the configuration."""
    if found := faults(config):
        raise Unavailable(
            "sshd refuses its configuration; nothing was changed",
            details=found,
            hint="Mend what it says, then run: paas setup",
        )


def faults(config: Path) -> tuple[str, ...]:
    """Return what sshd has against the configuration; nothing if it takes it."""
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd wants it, and its unit makes it
    done = run(_sshd(), "-t", "-f", str(config))
    return tuple(done.stderr.splitlines()[-5:]) if done.returncode else ()


def require_effect(block: str, user: str, config: Path) -> None:
    """Raise Unavailable unless sshd does for the user what the block says, and lets it in.

    Of two Match blocks that fit, the first one counts (sshd_config(5)).
    """
    done = run(_sshd(), "-T", "-ddd", "-f", str(config), "-C", CLIENT.format(user=user))
    _require_first(user, MATCH.findall(done.stderr))
    found = set(done.stdout.splitlines())
    lines = [line.split() for line in block.splitlines() if line.startswith(" ")]
    wanted = {f"{key.lower()} {value}" for key, value in lines}
    keys = {"acceptenv", *(line.split()[0] for line in wanted - found)}
    others = sorted(line for line in found - wanted if line.split()[0] in keys)
    if not _lets_in(user, found):
        others += sorted(line for line in found if line.split()[0] in LISTS)
    if others or not wanted <= found:
        raise Unavailable(
            f"sshd's own configuration speaks for {user} too; nothing was changed",
            details=tuple(others),
            hint=f"Leave {user} out there (Match User *,!{user}), or add it (AllowUsers), "
            "then run: paas setup",
        )


def _require_first(user: str, blocks: list[str]) -> None:
    """Raise Unavailable for a Match block before the user's that another connection may fit.

    Blocks by user and group alone fit always or never, and so show in what sshd does for CLIENT.
    """
    own = f"User {user}"
    earlier = blocks[: blocks.index(own)] if own in blocks else []
    by_place = [block for block in earlier if not ALWAYS.issuperset(block.lower().split()[::2])]
    if by_place:
        raise Unavailable(
            f"Your sshd has a Match block before that of {user}; nothing was changed",
            details=tuple(f"Match {block}" for block in by_place),
            hint="sshd takes the first that fits. Move it into a file of sshd_config.d whose name "
            "begins with 10-, then run: paas setup",
        )


def _lets_in(user: str, found: set[str]) -> bool:
    """Whether the lists of who may come in have room for the user, from some address at least."""
    ids = os.getgrouplist(user, pwd.getpwnam(user).pw_gid)
    groups = [grp.getgrgid(number).gr_name for number in ids]
    lists: dict[str, list[str]] = {key: [] for key in LISTS}
    for key, _, pattern in (line.partition(" ") for line in found):
        if key in LISTS:
            lists[key].append(pattern.partition("@")[0])

    def stands(names: list[str], key: str) -> bool:
        return any(fnmatchcase(name, pattern) for name in names for pattern in lists[key])

    if stands([user], "denyusers") or stands(groups, "denygroups"):
        return False
    return (not lists["allowusers"] or stands([user], "allowusers")) and (
        not lists["allowgroups"] or stands(groups, "allowgroups")
    )


def reload(config: Path, report: Callable[[str], object]) -> None:
    """Let a running sshd read its configuration anew; open connections stay (sshd(8), SIGHUP).

    Where systemd listens for it (ssh.socket, as on Ubuntu since 22.10), sshd is ended, if it runs:
    the next client starts it anew, and the unit's KillMode=process leaves connections alone. Raises
    Unavailable, without telling sshd, for a configuration that would end it.
    """
    if not PROGRAM.exists():
        report("There is no sshd here any more")
        return
    if found := faults(config):
        raise Unavailable(
            "sshd was not reloaded: it refuses its configuration",
            details=found,
            hint="Mend what it says, then run: paas setup",
        )
    if SYSTEMD.is_dir():
        _reload_unit()
        return
    try:
        pid = int(PID_FILE.read_text())
        if Path(f"/proc/{pid}/comm").read_text() != "sshd\n":
            raise ProcessLookupError  # another process has the number by now
        os.kill(pid, signal.SIGHUP)
    except (OSError, ValueError):
        report("sshd does not run here; it reads this when it starts")


def _reload_unit() -> None:
    is_on_demand = run("systemctl", "is-active", "--quiet", "ssh.socket").returncode == 0
    verb = "try-restart" if is_on_demand else "try-reload-or-restart"
    done = run("systemctl", verb, "ssh.service")
    if done.returncode:
        raise Unavailable("sshd was not reloaded", details=(done.stderr.strip(),))


def _sshd() -> str:
    if not PROGRAM.exists():
        raise Unavailable("There is no OpenSSH server here", hint="apt-get install openssh-server")
    return str(PROGRAM)


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of the host's to its end. Raises PaasError if it cannot be run."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PaasError(f"{command[0]} cannot be run: {error}") from error
