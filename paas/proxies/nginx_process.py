"""The running nginx: tests its configuration, reloads it, and knows when a reload has taken."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from paas.errors import ProxyUnavailable
from paas.settings import Settings

TIMEOUT = 30.0  # seconds for `nginx -t`, and for a reload to take
POLL = 0.005
EMERGENCY = re.compile(r"\[emerg\] (?:[0-9]+#[0-9]+: )?(.*)")
CONFLICT = re.compile(r'conflicting server name "([^"]+)"')
VERSION = re.compile(r"nginx/([0-9]+)\.([0-9]+)\.([0-9]+)")
REJECTS = (1, 19, 4)  # the first version with ssl_reject_handshake; Ubuntu 22.04 has 1.18
WHERE = re.compile(r" in (/\S+?):([0-9]+)$")


class RefusedConfiguration(ProxyUnavailable):
    """`nginx -t` failed; `message` ends with nginx's own words."""


class NginxProcess:
    """The nginx with the configuration settings.nginx_conf and the pid file settings.nginx_pid."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def pid(self) -> int | None:
        """The master's process id; None when nginx does not run.

        The file may be left by a crash, or empty (`nginx -t` creates it), and the number reused.
        """
        try:
            pid = int(self._settings.nginx_pid.read_text())
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except (OSError, ValueError):
            return None
        return pid if name == "nginx" else None

    def require(self) -> int:
        """Return the master's process id. Raises ProxyUnavailable when nginx does not run."""
        if (master := self.pid) is None:
            raise ProxyUnavailable(
                "nginx is not running",
                hint=f"Start it (systemctl start nginx); it reads {self._settings.nginx_conf}",
            )
        return master

    def rejects_handshakes(self) -> bool:
        """Return whether this nginx can refuse TLS for names that nobody has."""
        found = VERSION.search(self.run("-v").stderr)
        return not found or tuple(int(part) for part in found.groups()) >= REJECTS

    def test(self) -> frozenset[str]:
        """Let nginx check its configuration. Raises RefusedConfiguration, naming the file.

        Returns the server names that stand in it twice: nginx only warns, and the first one wins.
        """
        done = self.run("-t", "-q")
        if done.returncode == 0:
            return frozenset(CONFLICT.findall(done.stderr))
        found = EMERGENCY.search(done.stderr)
        cause = found[1] if found else done.stderr.strip().splitlines()[-1]
        where = WHERE.search(cause)
        if where and Path(where[1]).is_relative_to(self._settings.nginx):
            raise RefusedConfiguration(
                f"nginx refused a file of paas: {cause}",
                hint=f"Was a template in {self._settings.templates} changed? Then mend it.",
            )
        raise RefusedConfiguration(
            f"nginx's own configuration is broken: {cause}",
            hint=f"Mend {where[1] if where else self._settings.nginx_conf}, then: nginx -t",
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the nginx program on the configuration file. Raises ProxyUnavailable."""
        command = ["nginx", *arguments, "-c", str(self._settings.nginx_conf)]
        try:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ProxyUnavailable(
                f"nginx cannot be run: {error}", hint="Run: apt-get install nginx"
            ) from error

    def reopen_logs(self) -> None:
        """Let nginx open its logs anew; one that does not run has none open."""
        if master := self.pid:
            os.kill(master, signal.SIGUSR1)

    def reload(self) -> None:
        """Let nginx read its files, and return once only new workers accept connections.

        An old worker that still accepts would refuse a domain that was just added. It has stopped
        when its title says so ("is shutting down"). Raises ProxyUnavailable if no new one came.
        """
        master = self.require()
        before = _children(master)
        os.kill(master, signal.SIGHUP)
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            now = _children(master)
            if now - before and all(_is_leaving(pid) for pid in now & before):
                return
            time.sleep(POLL)
        raise ProxyUnavailable(
            "nginx did not take the new configuration",
            hint="Its error log says why; the old configuration still serves.",
        )


def _children(pid: int) -> set[int]:
    """Return the workers of a master (proc(5), /proc/pid/task/tid/children)."""
    try:
        return {
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        }
    except OSError:
        return set()


def _is_leaving(pid: int) -> bool:
    try:
        return b"shutting down" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has gone
        return True
