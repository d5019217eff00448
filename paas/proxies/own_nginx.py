"""A whole nginx for one instance: for tests, and for hosts whose own nginx must not be touched.

It has its own configuration, pid file, ports and temporary files, all under the instance's root;
settings.nginx_conf and settings.nginx_pid point to it.
"""

import grp
import os
import pwd
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from paas.errors import ProxyUnavailable
from paas.proxies.files import write_file
from paas.proxies.nginx_process import POLL, TIMEOUT, NginxProcess
from paas.settings import Settings

USERS = ("www-data", "nginx", "nobody")  # Debian; Fedora and nginx.org; everywhere
CONFIGURATION = """\
user {user} {group};
worker_processes auto;
worker_rlimit_nofile 16384;
pid {pid};
error_log {logs}/nginx-error.log notice;
# Old workers live as long as the websockets they hold; after a reload they end here at the latest.
worker_shutdown_timeout 1h;

events {{
    worker_connections 4096;
}}

http {{
    default_type application/octet-stream;
    access_log off;
    client_body_temp_path {temp}/body;
    proxy_temp_path {temp}/proxy;
    fastcgi_temp_path {temp}/fastcgi;
    uwsgi_temp_path {temp}/uwsgi;
    scgi_temp_path {temp}/scgi;
    include {main};
}}
"""


def start(settings: Settings, user: str | None = None) -> None:
    """Write the configuration and start the instance's nginx, unless it runs.

    Its workers run as `user`, by default the distribution's user for nginx. Before the first
    publish it serves nothing. Raises ProxyUnavailable when nginx does not start.
    """
    process = NginxProcess(settings)
    write_configuration(settings, user or _distribution_user())
    if process.pid is not None:
        return
    done = process.run()  # returns once it listens: it goes into the background by itself
    if done.returncode:
        raise ProxyUnavailable(
            "nginx did not start",
            details=tuple(done.stderr.splitlines()[-5:]),
            hint=f"Try: nginx -t -c {settings.nginx_conf}",
        )
    _wait(lambda: process.pid is not None)


def stop(settings: Settings) -> None:
    """Stop the instance's nginx at once, by its pid."""
    process = NginxProcess(settings)
    pid = process.pid
    if pid is not None:
        with suppress(ProcessLookupError):  # it ended a moment ago
            os.kill(pid, signal.SIGTERM)
        _wait(lambda: process.pid is None)


def write_configuration(settings: Settings, user: str) -> None:
    """Write settings.nginx_conf and the folders it names."""
    temp = settings.root / "nginx" / "temp"
    for folder in (temp, settings.logs, settings.nginx_conf.parent, settings.nginx_pid.parent):
        folder.mkdir(parents=True, exist_ok=True)
    main = settings.nginx / "paas.conf"
    if not main.exists():
        write_file(main, "")
    account = pwd.getpwnam(user)
    text = CONFIGURATION.format(
        user=user,
        group=grp.getgrgid(account.pw_gid).gr_name,
        pid=settings.nginx_pid,
        logs=settings.logs,
        temp=temp,
        main=main,
    )
    write_file(settings.nginx_conf, text)


def _distribution_user() -> str:
    names = {account.pw_name for account in pwd.getpwall()}
    return next(user for user in USERS if user in names)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise ProxyUnavailable("nginx did not start or stop in time", hint="See its error log.")
        time.sleep(POLL)
