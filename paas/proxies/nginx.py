"""nginx in front: publishes vhosts with one tested, verified reload, and switches without any."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from paas.certificates import generate
from paas.errors import ProxyUnavailable
from paas.firewall import BUILD_BRIDGE
from paas.model import Finding, app_name
from paas.proxies.base import Route, Site
from paas.proxies.files import locked, write_file
from paas.proxies.nginx_process import NginxProcess, RefusedConfiguration
from paas.proxies.rotation import rotate
from paas.proxies.routes import Routes
from paas.proxies.site import DEFAULT_SERVER, LIMITS, Sites
from paas.settings import Settings

KINDS = ("*.conf", "*.pem")  # the files of a site
PLAIN, SECRET = 0o644, 0o600  # modes: a certificate's file holds its key
DUPLICATES = {name: f'"{name}" directive is duplicate' for name in LIMITS} | {
    DEFAULT_SERVER: "a duplicate default server"
}


class NginxProxy:
    """The Proxy of one instance on the host's nginx (or on one of its own, see own_nginx.py).

    Files of the instance: `<root>/nginx/paas.conf`, which http {} includes, `default.conf` and
    `sites/<app>.conf`. The file `unread` there says that nginx has yet to read a change; it makes
    one reload do for all who wait for one, and a crash before it is seen afterwards. While nginx
    reads, `unread.now` stands for it.
    """

    def __init__(self, settings: Settings, build_bridge: str = BUILD_BRIDGE) -> None:
        self._settings = settings
        self._sites = Sites(settings)
        self._nginx = NginxProcess(settings)
        self._routes = Routes(settings, build_bridge)
        self._folder = settings.nginx
        self._main = settings.nginx / "paas.conf"
        self._unread = settings.nginx / "unread"
        self._reading = settings.nginx / "unread.now"
        self._yielded = settings.nginx / "yielded"  # what the owner's configuration has itself

    def check(self) -> tuple[Finding, ...]:
        return (*self._check_nginx(), *self._routes.check())

    def publish(self, site: Site) -> bool:
        self._nginx.require()
        self._routes.ensure()
        self._sites.refresh()
        file, files = self._file(site.app), self._files_of_site(site)
        served = set(file.read_text().replace(";", " ").split()) if file.exists() else set()
        return self._change(lambda: files, frozenset(site.domains) - served)

    def config(self, app: str) -> str:
        file = self._file(app)
        return file.read_text() if file.exists() else ""

    def validate(self) -> None:
        self._nginx.test()

    def withdraw(self, app: str) -> None:
        self._change(lambda: {self._file(app): None, self._sites.pem(app): None})

    def switch(self, app: str, routes: Sequence[Route]) -> None:
        self._routes.switch(app, routes)

    def rotate_logs(self) -> None:
        with locked(self._settings.locks / "nginx-logs.lock"):
            rotate(self._sites.log_folder, self._nginx.reopen_logs)

    def restore(
        self,
        read_sites: Callable[[], Sequence[Site]],
        read_routes: Callable[[], Mapping[str, Sequence[Route]]],
    ) -> None:
        self._routes.restore(read_routes)
        self._sites.refresh()
        self._change(lambda: self._files_of(read_sites()))

    def _files_of(self, sites: Sequence[Site]) -> Mapping[Path, str | None]:
        """Return the vhosts of all sites, and None for those of apps that are not among them."""
        found = [path for kind in KINDS for path in (self._folder / "sites").glob(kind)]
        files: dict[Path, str | None] = dict.fromkeys(found)
        for site in sites:
            files |= self._files_of_site(site)
        return files

    def _files_of_site(self, site: Site) -> dict[Path, str | None]:
        """Return the certificate, then the vhost that names it; None for what is not served."""
        certificate = site.certificate if site.domains else None
        return {
            self._sites.pem(site.app): certificate.chain + certificate.key if certificate else None,
            self._file(site.app): self._sites.render(site) if site.domains else None,
        }

    def _file(self, app: str) -> Path:
        return self._folder / "sites" / f"{app_name(app)}.conf"

    def _change(
        self,
        read_files: Callable[[], Mapping[Path, str | None]],
        claims: frozenset[str] = frozenset(),
    ) -> bool:
        """Make the files so (None: absent) and let nginx read them; put them back on failure.

        `claims` are domains that are new in them: somebody else's are not taken away.
        """
        self._make_folders()
        with self._writing():
            files = read_files()
            old = _replace({**files, **self._shared_files(files)}, self._unread)
            if not old and not self._is_unread():
                return False
        try:
            self._let_nginx_read(claims)
        except ProxyUnavailable:
            with self._writing():
                _replace(old, self._unread)
            raise
        return bool(old)

    def _make_folders(self) -> None:
        for folder in (self._folder / "sites", self._sites.log_folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._main.touch()  # never taken back: nginx does not start without a file it includes

    def _writing(self) -> AbstractContextManager[None]:
        return locked(self._settings.locks / "nginx-files.lock")

    def _is_unread(self) -> bool:
        return self._unread.exists() or self._reading.exists()

    def _let_nginx_read(self, claims: frozenset[str]) -> None:
        """Test and reload, unless another process has done so since our files were written."""
        with locked(self._settings.locks / "nginx-reload.lock"):
            if not self._is_unread():
                if claims:
                    self._test(claims)
                return
            self._reading.touch()
            self._unread.unlink(missing_ok=True)
            try:
                self._test(claims)
                self._nginx.reload()
            except BaseException:
                self._unread.touch()
                raise
            self._reading.unlink()

    def _test(self, claims: frozenset[str]) -> None:
        """Test the configuration; what the owner's part has itself is left out of ours."""
        try:
            _refuse_taken(claims & self._nginx.test())
        except RefusedConfiguration as error:
            yielded = self._yielded_names()
            more = {name for name, words in DUPLICATES.items() if words in error.message} - yielded
            if not more:
                raise
            write_file(self._yielded, "\n".join(sorted(yielded | more)))
            with self._writing():
                _replace(self._shared_files({}), self._unread)
            self._test(claims)

    def _shared_files(self, changes: Mapping[Path, str | None]) -> dict[Path, str | None]:
        """Return the files of all sites, as they are to be once `changes` are made."""
        yielded = self._yielded_names()
        pems = dict.fromkeys((self._folder / "sites").glob("*.pem"), "there")
        https = any({**pems, **{p: t for p, t in changes.items() if p.suffix == ".pem"}}.values())
        nobody = self._nobody() if https and not self._nginx.rejects_handshakes() else {}
        default = self._sites.render_default(yielded, https=https, nobody=next(iter(nobody), None))
        return {
            **nobody,
            self._main: self._sites.render_main(yielded),
            self._folder / "default.conf": default,
        }

    def _nobody(self) -> dict[Path, str | None]:
        """Return the file with the certificate that old versions show to strangers; made once."""
        pem = self._folder / "nobody.pem"
        if pem.exists():
            return {pem: pem.read_text()}
        made = generate("nobody.invalid")
        return {pem: made.chain + made.key}

    def _yielded_names(self) -> set[str]:
        return set(self._yielded.read_text().split()) if self._yielded.exists() else set()

    def _check_nginx(self) -> tuple[Finding, ...]:
        try:
            version = self._nginx.run("-v").stderr.strip().removeprefix("nginx version: ")
            dump = self._nginx.run("-T", "-q").stdout
            self._nginx.test()
        except ProxyUnavailable as error:
            return (Finding("nginx", "fail", error.message, error.hint),)
        return tuple(self._findings(version, dump))

    def _findings(self, version: str, dump: str) -> Iterator[Finding]:
        conf = self._settings.nginx_conf
        if self._nginx.pid is None:
            yield Finding("nginx", "fail", "nginx is not running", "Run: systemctl start nginx")
        else:
            yield Finding("nginx", "ok", f"{version} runs, and its configuration is valid")
        if f"# configuration file {self._main}:" not in dump:
            line = f"include {self._main};"
            yield Finding(
                "nginx include",
                "fail",
                f"{conf} does not include {self._main}",
                f"Put this line into http {{}} there: {line}",
            )
        if DEFAULT_SERVER in self._yielded_names():
            yield Finding(
                "nginx default server",
                "warn",
                "A server of your own answers for unknown hosts",
                f"If it should not: remove its default_server and {self._yielded}",
            )


def _refuse_taken(domains: Collection[str]) -> None:
    if domains:
        raise RefusedConfiguration(
            f"{min(domains)} is served by nginx already, by a file that is not of paas",
            hint="Use another domain, or ask the host's owner to remove it there.",
        )


def _replace(files: Mapping[Path, str | None], unread: Path) -> dict[Path, str | None]:
    """Make the files so; return what stood before in those that differed. Leaves `unread`."""
    before = {path: path.read_text() if path.exists() else None for path in files}
    old = {path: text for path, text in before.items() if text != files[path]}
    if old:
        unread.touch()  # first: a crash after the first file must not be forgotten
    for path in old:
        text = files[path]
        if text is None:
            path.unlink()
        else:
            write_file(path, text, SECRET if path.suffix == ".pem" else PLAIN)
    return old
