"""The verbs that do not need the daemon: start, stop and status of the service itself."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from paas.doors import wire
from paas.errors import PaasError, Unavailable, UsageError
from paas.pidfile import holder
from paas.settings import Settings, load
from paas.show import show_error

PATIENCE = 15.0  # seconds for the daemon to answer, or to end
POLL = 0.02
SYSTEMD = Path("/run/systemd/system")  # there when systemd is the first process
UNIT = Path("/etc/systemd/system/paas.service")


def run(verb: str, args: list[str]) -> int:
    """Run a verb of the service; show its error; return the exit status."""
    try:
        return run_verb(verb, load(), args)
    except PaasError as error:
        show_error(error)
        return error.exit_status


def run_verb(verb: str, settings: Settings, args: list[str]) -> int:
    """Run a verb of the service. Raises PaasError. Imports what is large only where it is used."""
    if verb == "setup":
        from paas import setup  # noqa: PLC0415 - see above

        return setup.main(settings, args)
    if verb == "doctor":
        from paas import daemon  # noqa: PLC0415 - see above

        return daemon.run_here(settings, ("doctor", *args))
    if verb == "upgrade":
        from paas import upgrade  # noqa: PLC0415 - see above

        return upgrade.upgrade(settings, args)
    if args:
        raise UsageError(f"{verb} takes nothing behind it", hint=f"Type: paas {verb}")
    return {"serve": serve, "start": start, "stop": stop, "status": status}[verb](settings)


def serve(settings: Settings) -> int:
    """Be the daemon, in the foreground. Raises PaasError when it cannot start.

    docker-py would import paramiko for engines behind ssh, which we never use: 10 MB less.
    """
    sys.modules["paramiko"] = None  # type: ignore[assignment] # import then says ImportError
    from paas import daemon  # noqa: PLC0415 - see above
    from paas.state.database import require_file  # noqa: PLC0415 - see above

    require_file(settings.database)
    daemon.main(settings)
    return 0


def start(settings: Settings) -> int:
    """Start the daemon detached; return when it answers. Raises Unavailable with its last words."""
    if holder(settings.pid_file):
        sys.stdout.write("paas runs already\n")
        return 0
    if _is_a_unit(settings):
        return _start_unit(settings)
    settings.logs.mkdir(parents=True, exist_ok=True)
    output = settings.logs / "serve.out"
    with output.open("wb") as file:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "paas", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd="/",
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
            start_new_session=True,
        )
    if (
        not _wait(lambda: answers(settings) or daemon.poll() is not None)
        or daemon.poll() is not None
    ):
        raise Unavailable(
            "The daemon did not start",
            details=tuple(output.read_text(errors="replace").splitlines()[-10:]),
            hint=f"Its log: {settings.logs}/paas.log",
        )
    sys.stdout.write(f"paas runs as pid {daemon.pid}\n")
    return 0


def _is_a_unit(settings: Settings) -> bool:
    """Whether systemd keeps this instance (sd_booted(3)); the unit is of the default settings."""
    of_unit = load({})
    ours = (settings.config, settings.root) == (of_unit.config, of_unit.root)
    return SYSTEMD.is_dir() and UNIT.is_file() and ours


def _start_unit(settings: Settings) -> int:
    """Start it below systemd, which then starts it again after a crash, and at boot."""
    done = subprocess.run(
        ["systemctl", "start", UNIT.name], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise Unavailable(
            "systemd did not start the daemon",
            details=tuple(done.stderr.splitlines()[-5:]),
            hint=f"See: systemctl status {UNIT.name}; its log: {settings.logs}/paas.log",
        )
    sys.stdout.write(f"paas runs as pid {holder(settings.pid_file)}, by systemd's {UNIT.name}\n")
    return 0


def stop(settings: Settings) -> int:
    """Stop the daemon that holds the pid file; requests at work go on. Raises Unavailable."""
    pid = holder(settings.pid_file)
    if not pid:
        sys.stdout.write("paas does not run\n")
        return 0
    os.kill(pid, signal.SIGTERM)
    if not _wait(lambda: holder(settings.pid_file) is None):
        raise Unavailable(f"The daemon, pid {pid}, did not stop", hint=f"Look into {settings.logs}")
    sys.stdout.write("paas is stopped; apps keep running\n")
    return 0


def status(settings: Settings) -> int:
    """Say whether the daemon runs and answers, and where its doors are; 3 if not, as LSB says."""
    pid = holder(settings.pid_file)
    is_up = bool(pid) and answers(settings)
    state = f"runs as pid {pid}" if is_up else "does not run" if not pid else "does not answer"
    sys.stdout.write(
        f"=====> paas {state}\n"
        f"       Instance:   {settings.instance} in {settings.root}\n"
        f"       Local door: {settings.socket}\n"
        f"       Ssh door:   {settings.ssh_listen} port {settings.ssh_port}: "
        f"{settings.ssh_command} help\n"
    )
    return 0 if is_up else 3


def answers(settings: Settings) -> bool:
    """Return whether a request through the local door is answered."""
    try:
        with wire.connect(str(settings.socket)) as connection:
            with Path(os.devnull).open("r+b") as null:
                wire.send(connection, {"door": "local", "argv": []}, [null.fileno()] * 3)
            return wire.wait_for_exit(connection)[0] == 0
    except OSError:
        return False


def _wait(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True
