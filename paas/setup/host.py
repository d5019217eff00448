"""What setup changes outside the data root: the doors' user, and one include of nginx."""

import hashlib
import pwd
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from paas.errors import ProxyUnavailable, Unavailable, UsageError
from paas.proxies.nginx_process import NginxProcess
from paas.settings import Settings

Report = Callable[[str], object]
NO_LOGIN = {"nologin", "false"}  # shells, wherever they are


def add_door_user(settings: Settings, report: Report) -> None:
    """Add the system user that the doors run as: no password, no shell, a home that is root's.

    Raises UsageError for somebody's login: who is that user may claim any key's fingerprint.
    """
    try:
        user = pwd.getpwnam(settings.door_user)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home"]
        command += ["--home-dir", str(settings.door), "--shell", "/usr/sbin/nologin"]
        _run([*command, settings.door_user])
        report(f"added {settings.door_user}")
        return
    if Path(user.pw_shell).name not in NO_LOGIN:
        require_own_user(settings)


def require_own_user(settings: Settings) -> None:
    """Raise UsageError for a user that setup did not make: its home is not the doors' folder."""
    user = pwd.getpwnam(settings.door_user)
    if user.pw_dir != str(settings.door):
        raise UsageError(
            f"{user.pw_name} was there before paas: its home is {user.pw_dir}",
            hint="Choose another door_user in paas.toml. If nobody logs in as it: "
            f"usermod --home {settings.door} {user.pw_name}",
        )


def include_in_nginx(settings: Settings, report: Report) -> None:
    """Let the host's nginx include `<root>/nginx/paas.conf`, by one file in its conf.d.

    A configuration that includes it already, or has no conf.d, is the owner's: it is left alone.
    Raises Unavailable, with nothing changed, when nginx does not take the file.
    """
    conf, wanted = settings.nginx_conf, f"{settings.nginx}/paas.con"
    folder = conf.parent / "conf.d"
    if not conf.is_file():
        raise Unavailable(
            f"There is no nginx configuration at {conf}",
            hint="Run: apt-get install nginx-light, or set nginx_conf in paas.toml",
        )
    if wanted in conf.read_text():
        return
    if not folder.is_dir() or f"{folder}/*.conf" not in conf.read_text():
        report(f"Put this into http {{}} of {conf}: include {settings.nginx}/paas.conf;")
        return
    file = folder / f"{settings.instance}.conf"
    # As a pattern, so that nginx starts also before the first vhost is there.
    text = f"# Written by paas setup.\ninclude {wanted}[f];\n"
    before = file.read_text() if file.is_file() else None
    if before != text:
        (settings.nginx / "unread").touch()  # the proxy reloads, also where no vhost is new
        if wanted not in (before or ""):
            # What was kept may collide with the owner's sites by now; a later step makes it anew.
            (settings.nginx / "paas.conf").write_text("")
        _include(file, text, before, NginxProcess(settings))
        report(f"wrote {file}")
    _yield_default_server(settings, report)


def _include(file: Path, text: str, before: str | None, nginx: NginxProcess) -> None:
    """Write the file, and put back what was there `before` if nginx does not take it."""
    file.write_text(text)
    try:
        nginx.test()
    except ProxyUnavailable as error:
        if before is None:
            file.unlink()
        else:
            file.write_text(before)
        nginx.test()  # what fails without our file too says so itself
        raise Unavailable(
            f"nginx refused {file}; it was taken back",
            details=(error.message.partition(": ")[2],),
            hint="Mend what it says, then run: paas setup",
        ) from error


def _yield_default_server(settings: Settings, report: Report) -> None:
    """Make room for our default server, which refuses unknown hosts.

    Debian's own placeholder site is taken out if it was never edited; a default server of the
    owner's stays, and is named.
    """
    sites = settings.nginx_conf.parent / "sites-enabled"
    stock = sites / "default"
    if stock.is_symlink() and _is_stock(stock.resolve()):
        _placeholder(settings).write_text(f"{stock.resolve()}\n")
        stock.unlink()
        report(f"removed {stock}, the placeholder of Debian's package (its file stays)")
    pattern = re.compile(rf"\blisten\s+(?:\S+:)?{settings.http_port}\s[^;]*default_server")
    for site in sorted(sites.glob("*")):
        text = site.read_text(errors="replace") if site.is_file() else ""
        if pattern.search(re.sub(r"#.*", "", text)):
            report(f"{site} answers unknown hosts on port {settings.http_port}; paas leaves it so")


def give_default_server_back(settings: Settings) -> None:
    """Undo what setup did to Debian's placeholder; a host that had none enabled gets none."""
    note, link = _placeholder(settings), settings.nginx_conf.parent / "sites-enabled" / "default"
    if note.is_file() and not any(link.parent.iterdir()):
        link.symlink_to(note.read_text().strip())
    note.unlink(missing_ok=True)


def _placeholder(settings: Settings) -> Path:
    """Return the note of which site was taken out."""
    return settings.nginx / "placeholder"


def _is_stock(file: Path) -> bool:
    """Whether dpkg knows the file as a conffile with this very content."""
    digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()  # dpkg's own
    query = ["dpkg-query", "--show", "--showformat=${Conffiles}\n", "nginx-common"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:  # not a Debian host
        return False
    return f" {file} {digest}" in done.stdout.splitlines()


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Unavailable(
            f"{argv[0]} failed",
            details=tuple(done.stderr.splitlines()[-5:]),
            hint="Mend what it says, then run: paas setup",
        )
