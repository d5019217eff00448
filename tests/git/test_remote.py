"""Fetching over real TLS and real ssh from a host that its owner has vouched for."""

import base64
import contextlib
import datetime as dt
import http.server
import os
import select
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from dulwich.repo import Repo
from dulwich.server import BackendRepo, DictBackend
from dulwich.web import make_wsgi_chain

from paas import outside
from paas.errors import InvalidName, NotFound, SourceRefused, Unavailable
from paas.git.base import Remote
from paas.git.repos import DulwichRepos
from paas.model import App
from paas.settings import Settings
from tests.claims import free_port
from tests.git.conftest import run_git

APP = App(7, "shop", 1, 0.0)
NO_CHECK = lambda: None  # noqa: E731 - the disk has room
FAR = "far.example.org"  # whose address only the proxy knows


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName(FAR)]
    host = x509.SubjectAlternativeName(names)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - dt.timedelta(1)).add_extension(host, critical=False)
    signed = made.not_valid_after(now + dt.timedelta(1)).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (tmp_path / "ca.pem").write_bytes(signed.public_bytes(pem))
    (tmp_path / "key.pem").write_bytes(key.private_bytes(pem, form, plain))
    return tmp_path / "ca.pem"


@contextmanager
def serving(server: http.server.HTTPServer, bundle: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle, bundle.with_name("key.pem"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    run_git(folder, "init", "-q")
    (folder / "app.py").write_text("print(1)\n")
    run_git(folder, "add", "-A")
    run_git(folder, "commit", "-q", "-m", "one")
    return folder


@pytest.fixture
def repos(tmp_path: Path, bundle: Path) -> DulwichRepos:
    return DulwichRepos(Settings(root=tmp_path / "host", ca_bundle=bundle, disk_reserve=0))


@pytest.fixture(autouse=True)
def _root(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()


class Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def https(work: Path, bundle: Path) -> Iterator[str]:
    server = WSGIServer(("127.0.0.1", 0), Silent)
    repository = Repo(str(work))
    served: dict[str, BackendRepo] = {"/shop.git": repository}
    server.set_app(make_wsgi_chain(DictBackend(served)))
    with serving(server, bundle) as url:
        yield url
    repository.close()


def test_https_is_fetched_from_a_trusted_host_only(
    repos: DulwichRepos, https: str, work: Path
) -> None:
    with repos.fetch(APP, Remote(f"{https}/shop.git", is_trusted=True), None, None) as push:
        assert push.new == run_git(work, "rev-parse", "HEAD")
        assert push.source.read("app.py") == "print(1)\n"
    refused = pytest.raises(Unavailable, match="not a public address")
    with refused, repos.fetch(APP, Remote(f"{https}/shop.git"), None, None):
        pass
    missing = Remote(f"{https}/other.git", is_trusted=True)
    with pytest.raises((NotFound, Unavailable)), repos.fetch(APP, missing, None, None):
        pass


def test_a_certificate_that_nobody_signed_is_refused(https: str, tmp_path: Path) -> None:
    settings = Settings(root=tmp_path / "host", ca_bundle=tmp_path / "none", disk_reserve=0)
    remote = Remote(f"{https}/shop.git", is_trusted=True)
    refused = pytest.raises(Unavailable, match=r"(?i)certificate")
    with refused, DulwichRepos(settings).fetch(APP, remote, None, None):
        pass


class Files(http.server.BaseHTTPRequestHandler):
    places: ClassVar[dict[str, str]] = {
        "/inside": "https://10.0.0.1/x",
        "/plain": "http://127.0.0.1/x",
        "/again": "/again",
        "/there": "/file",
    }

    def do_GET(self) -> None:
        place = self.places.get(self.path)
        self.send_response(302 if place else 200)
        if place:
            self.send_header("Location", place)
        self.end_headers()
        if not place:
            self.wfile.write(b"x" * 1000)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_download_follows_redirects_but_never_inside(bundle: Path, tmp_path: Path) -> None:
    file, settings = tmp_path / "file", Settings(ca_bundle=bundle)
    with (
        serving(http.server.HTTPServer(("127.0.0.1", 0), Files), bundle) as url,
        file.open("wb") as out,
    ):
        outside.download(f"{url}/there", out, 1000, NO_CHECK, settings, {"127.0.0.1"})
        out.flush()
        assert file.read_bytes() == b"x" * 1000
        for path in ("inside", "plain", "again"):
            with pytest.raises((Unavailable, InvalidName)):
                outside.download(f"{url}/{path}", out, 1000, NO_CHECK, settings, {"127.0.0.1"})
        with pytest.raises(SourceRefused):
            outside.download(f"{url}/file", out, 999, NO_CHECK, settings, {"127.0.0.1"})
        with pytest.raises(Unavailable, match="not a public"):
            outside.download(f"{url}/file", out, 1000, NO_CHECK, settings, set())


class Proxy(http.server.BaseHTTPRequestHandler):
    """Opens ways to one port of this machine, whatever host it is asked for."""

    asked: ClassVar[list[tuple[str, str | None]]] = []
    port: ClassVar[int]

    def do_CONNECT(self) -> None:
        self.asked.append((self.path, self.headers["Proxy-Authorization"]))
        if not self.path.startswith(FAR):
            self.send_error(403)
            return
        self.send_response(200)
        self.end_headers()
        with socket.create_connection(("127.0.0.1", self.port), 10) as far:
            while ready := select.select([far, self.connection], [], [], 10)[0]:
                for source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    (self.connection if source is far else far).sendall(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy(https: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A company's proxy; what is beyond it has no address here."""

    def unknown(host: str, *_: object, **__: object) -> str:
        if host == "127.0.0.1":
            return host
        raise outside.Unknown(f"{host} has no address")

    monkeypatch.setattr(outside, "find_address", unknown)
    Proxy.port, Proxy.asked = int(https.rpartition(":")[2]), []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://anna:pa%2Fss@127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_outside_comes_through_the_proxy(
    tmp_path: Path, bundle: Path, proxy: str, work: Path
) -> None:
    settings = Settings(
        root=tmp_path / "host",
        ca_bundle=bundle,
        disk_reserve=0,
        https_proxy=proxy,
        no_proxy="x.org",
    )
    repos = DulwichRepos(settings)
    with repos.fetch(APP, Remote(f"https://{FAR}/shop.git"), None, None) as push:
        assert push.new == run_git(work, "rev-parse", "HEAD")
    basic = "Basic " + base64.b64encode(b"anna:pa/ss").decode()
    assert set(Proxy.asked) == {(f"{FAR}:443", basic)}
    with (tmp_path / "file").open("wb") as out:
        with pytest.raises(Unavailable, match="404"):
            outside.download(f"https://{FAR}/none", out, 1000, NO_CHECK, settings, set())
        with pytest.raises(Unavailable, match=r"proxy 127\.0\.0\.1: .*403"):
            outside.download("https://other.example.org/x", out, 1000, NO_CHECK, settings, set())
        with pytest.raises(outside.Unknown):
            outside.download("https://a.x.org/x", out, 1000, NO_CHECK, settings, set())


def test_a_host_inside_is_reached_without_the_proxy(
    tmp_path: Path, bundle: Path, proxy: str, https: str
) -> None:
    settings = Settings(root=tmp_path / "host", ca_bundle=bundle, disk_reserve=0, https_proxy=proxy)
    remote = Remote(f"{https}/shop.git", is_trusted=True)
    with DulwichRepos(settings).fetch(APP, remote, None, None):
        assert Proxy.asked == []


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(tmp_path: Path, bundle: Path) -> None:
    over = threading.Event()

    class Slow(Files):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
            self.end_headers()
            with contextlib.suppress(OSError):
                while not over.wait(0.1):
                    self.wfile.write(b"f")  # it may be the length of a line, or a part of a file

    settings = Settings(root=tmp_path / "host", ca_bundle=bundle, disk_reserve=0, fetch_timeout=1)
    given_up = pytest.raises(Unavailable, match="within 1 s")
    server = http.server.HTTPServer(("127.0.0.1", 0), Slow)
    with serving(server, bundle) as url, contextlib.ExitStack() as end:
        end.callback(over.set)
        with (tmp_path / "file").open("wb") as out, given_up, outside.within(1, "x"):
            outside.download(f"{url}/x", out, 100_000, NO_CHECK, settings, {"127.0.0.1"})
        remote = Remote(f"{url}/shop.git", is_trusted=True)
        with given_up, DulwichRepos(settings).fetch(APP, remote, None, None):
            pass


def _key(path: Path) -> str:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=30
    )
    return path.with_suffix(".pub").read_text()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[tuple[int, str, str]]:
    """A real sshd; gives its port, its public host key, and a private key that may come in."""
    folder = tmp_path / "sshd"
    folder.mkdir()
    host_key, user_key = _key(folder / "host"), _key(folder / "user")
    (folder / "authorized").write_text(user_key)
    port = free_port()
    options = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "PidFile": "none",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "UsePAM": "no",
        "PermitRootLogin": "yes",
    }
    words = [w for key, value in options.items() for w in ("-o", f"{key}={value}")]
    os.makedirs("/run/sshd", exist_ok=True)  # noqa: PTH103 - as sshd's own unit does
    sshd = str(shutil.which("sshd", path="/usr/sbin:/usr/bin"))
    daemon = subprocess.Popen([sshd, "-D", "-e", "-f", "/dev/null", *words], stderr=subprocess.PIPE)
    assert daemon.stderr
    assert b"listening" in daemon.stderr.readline()
    yield port, host_key, (folder / "user").read_text()
    daemon.terminate()
    daemon.communicate(timeout=30)


def test_ssh_is_fetched_with_the_app_s_key_from_a_known_host(
    repos: DulwichRepos, sshd: tuple[int, str, str], work: Path
) -> None:
    port, host_key, key = sshd
    known = f"127.0.0.1 {' '.join(host_key.split()[:2])}\n"
    url = f"ssh://root@127.0.0.1:{port}{work}/.git"
    with repos.fetch(APP, Remote(url, None, key, known, is_trusted=True), None, None) as push:
        assert push.new == run_git(work, "rev-parse", "HEAD")
    for remote in (
        Remote(url, None, key, "", is_trusted=True),
        Remote(url, None, "", known, is_trusted=True),
        Remote(url, None, key, known),
    ):
        with pytest.raises(Unavailable), repos.fetch(APP, remote, None, None):
            pass
