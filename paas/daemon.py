"""`paas serve`: a small single-threaded supervisor.

It has imported everything once, listens on the unix socket, forks one child per connection, and
keeps the ssh door and the background process alive. It never reads from a client and never holds a
client's descriptor, so nobody can block it.
"""

import contextlib
import gc
import logging
import os
import pwd
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from paas import background, child, dispatch, notify
from paas.daemon_log import log_file, open_log
from paas.doors import wire
from paas.doors.control import Control
from paas.doors.host_key import keep_host_key
from paas.doors.request import Request, peer_uid
from paas.listen import listen_tcp, listen_unix
from paas.pidfile import hold_pid_file
from paas.settings import Settings
from paas.wiring import build_platform

CHILDREN = 200  # requests at work at the same time
RESERVED = 20  # more for root: whatever users do, the host's owner can type
FIRST_DELAY, LAST_DELAY = 0.2, 30.0  # seconds before a helper is started again
STEADY = 60.0  # seconds after which a helper that dies counts as a first failure again
GRACE, POLL = 5.0, 0.01  # seconds for the helpers to end, and between looks
OOM_SCORE = -200

log = logging.getLogger("paas")


@dataclass
class Helper:
    """A process that the supervisor keeps alive. `run` is called in its fork and never returns."""

    name: str
    run: Callable[[], NoReturn]
    pid: int = 0
    due: float = 0.0  # when to start it (monotonic)
    started: float = 0.0
    delay: float = FIRST_DELAY

    def start(self) -> None:
        """Fork it."""
        self.started = time.monotonic()
        try:
            self.pid = os.fork()
        except OSError:
            self.died()  # no room for a process: tried again later
            return
        if self.pid == 0:
            run_in_fork(self.run)

    def died(self) -> None:
        """Plan its next start: soon, then less and less often."""
        now = time.monotonic()
        if now - self.started > STEADY:
            self.delay = FIRST_DELAY
        self.pid, self.due = 0, now + self.delay
        self.delay = min(self.delay * 2, LAST_DELAY)


@dataclass
class Supervisor:
    """The running daemon of one instance.

    `handle` runs a request (see child.serve); `background` is the background process's loop, which
    ends when the descriptor it is given reads end-of-file.
    """

    settings: Settings
    handle: child.Handle
    background: Callable[[int], None]
    helpers: list[Helper] = field(default_factory=list)
    children: set[int] = field(default_factory=set)
    stopping: bool = False
    most_children: int = CHILDREN
    reserved: int = RESERVED

    def serve(self) -> None:
        """Run until SIGTERM. Raises Conflict when a daemon of this instance runs already."""
        os.umask(0o022)
        self.door_user = pwd.getpwnam(self.settings.door_user)
        self.settings.run.mkdir(parents=True, exist_ok=True)
        self._pid_file = hold_pid_file(self.settings.pid_file)
        self._ssh = listen_tcp(self.settings.ssh_listen, self.settings.ssh_port)
        keep_host_key(self.settings.door, self.door_user.pw_gid)
        self._lifeline, self._our_end = os.pipe()  # our end closes when we die, however we die
        self._wake, self._woken = socket.socketpair()
        self._take_signals()
        self.helpers = [
            Helper("background", self._run_background),
            Helper("ssh door", self._run_ssh_door),
        ]
        child.name_process("paas")
        child.set_oom_score(OOM_SCORE)
        gc.collect()
        gc.freeze()  # what is imported now is shared with every child (copy on write)
        self._listener = listen_unix(self.settings.socket, self.door_user.pw_gid)
        log.info("serving %s as pid %d", self.settings.socket, os.getpid())
        notify.send("READY=1")
        try:
            self._loop()
        finally:
            self._stop()

    def _loop(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._listener, selectors.EVENT_READ)
        selector.register(self._woken, selectors.EVENT_READ)
        with selector:
            while not self.stopping:
                self._start_helpers()
                for key, _ in selector.select(self._next_start()):
                    if key.fileobj is self._listener:
                        self._accept()
                    else:
                        self._woken.recv(4096)
                self._reap()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it went away while it waited
            return
        with connection:
            room = self.most_children + (0 if peer_uid(connection) else self.reserved)
            if len(self.children) >= room:
                refuse(connection, f"{room} commands are at work already; try again")
            else:
                self._fork_for(connection)

    def _fork_for(self, connection: socket.socket) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            log.error("cannot fork: %s", error)  # noqa: TRY400 - the cause is all there is to say
            refuse(connection, "The host has no room for another process; try again")
            return
        if pid == 0:
            run_in_fork(lambda: self._run_request(connection))
        self.children.add(pid)

    def _run_request(self, connection: socket.socket) -> NoReturn:
        self._leave_supervisor()
        allowed = frozenset({0, self.door_user.pw_uid})
        os._exit(child.serve(connection, allowed, self.handle))

    def _run_background(self) -> NoReturn:
        lifeline = os.dup(self._lifeline)
        self._leave_supervisor()
        child.name_process("paas-background")
        child.set_oom_score(0)
        for signum in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
            signal.signal(signum, signal.SIG_DFL)
        self.background(lifeline)
        os._exit(0)

    def _run_ssh_door(self) -> NoReturn:
        """Become the ssh door: another user and program, with two descriptors of ours."""
        ssh, lifeline = self._ssh.fileno(), self._lifeline
        for descriptor in (ssh, lifeline):
            os.set_inheritable(descriptor, True)
        os.setsid()
        child.set_oom_score(0)
        os.chdir("/")
        os.setgroups([])
        os.setgid(self.door_user.pw_gid)
        os.setuid(self.door_user.pw_uid)
        package = str(Path(__file__).parent.parent)
        environ = {"PATH": os.defpath, "PYTHONPATH": package, "LC_ALL": "C.UTF-8"}
        paths = [str(self.settings.socket), str(self.settings.door)]
        argv = [sys.executable, "-m", "paas.doors.ssh", *paths, str(ssh), str(lifeline)]
        os.execve(sys.executable, argv, environ)  # noqa: S606 - an argument list, no shell is wanted

    def _leave_supervisor(self) -> None:
        """Close, in a child, what is the supervisor's alone."""
        signal.set_wakeup_fd(-1)
        for held in (self._listener, self._ssh, self._wake, self._woken):
            held.close()
        for descriptor in (self._lifeline, self._our_end, self._pid_file):
            os.close(descriptor)

    def _start_helpers(self) -> None:
        for helper in self.helpers:
            if not helper.pid and helper.due <= time.monotonic():
                helper.start()

    def _next_start(self) -> float | None:
        dues = [helper.due for helper in self.helpers if not helper.pid]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def _reap(self) -> None:
        for pid, status in reap():
            self.children.discard(pid)
            for helper in self.helpers:
                if helper.pid == pid:
                    helper.died()
                    if not self.stopping:
                        code = os.waitstatus_to_exitcode(status)
                        log.warning("%s ended (%s)", helper.name, code)

    def _take_signals(self) -> None:
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._ask_to_stop)
        signal.signal(signal.SIGHUP, self._end_helpers)

    def _end_helpers(self, *_: object) -> None:
        """End door and background; they begin anew, as after an import with other keys and apps."""
        for helper in self.helpers:
            if helper.pid:
                os.kill(helper.pid, signal.SIGTERM)

    def _ask_to_stop(self, *_: object) -> None:
        self.stopping = True

    def _stop(self) -> None:
        """End the helpers; requests at work go on: a deploy outlives the daemon.

        systemd would warn of a helper that is there still when it starts the next daemon.
        """
        notify.send("STOPPING=1")
        self._listener.close()
        self._ssh.close()
        self._end_helpers()
        deadline = time.monotonic() + GRACE
        while any(helper.pid for helper in self.helpers) and time.monotonic() < deadline:
            self._reap()
            time.sleep(POLL)
        log.info("stopped; %d requests go on", len(self.children))


def main(settings: Settings) -> None:
    """Serve one instance until SIGTERM. Raises PaasError when it cannot start."""
    open_log(log_file(settings))
    dispatch.load_commands()
    platform = build_platform(settings)

    def handle(request: Request, uid: int, control: Control) -> int:
        return dispatch.handle(platform, request, uid, control)

    def run_background(lifeline: int) -> None:
        background.main(platform, lifeline)

    Supervisor(settings, handle, run_background).serve()


def run_here(settings: Settings, argv: tuple[str, ...]) -> int:
    """Run one command in this process, for one that must work when the daemon does not."""
    dispatch.load_commands()
    request = Request("local", argv, tty=sys.stdout.isatty())
    return dispatch.handle(build_platform(settings), request, os.geteuid(), Control())


def run_in_fork(run: Callable[[], NoReturn]) -> NoReturn:
    """Run in a fresh fork; whatever happens, the supervisor's stack is never returned to."""
    try:
        run()
    except BaseException:
        log.exception("a child of the daemon failed")
    finally:
        os._exit(1)


def reap() -> list[tuple[int, int]]:
    """Return (pid, wait status) of every child that has ended."""
    ended = []
    with contextlib.suppress(ChildProcessError):
        while (result := os.waitpid(-1, os.WNOHANG))[0]:
            ended.append(result)
    return ended


def refuse(connection: socket.socket, say: str) -> None:
    """Answer without reading; the line fits into the socket's empty buffer, so this never waits."""
    connection.setblocking(False)
    with contextlib.suppress(OSError):
        wire.send(connection, {"exit": 75, "say": say})
