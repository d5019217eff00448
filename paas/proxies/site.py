"""Renders an instance's nginx files. Every value is checked against its form, never escaped.

Escaping is no defence here: `;`, `}` and line breaks end a directive, and autoescape lets them
through. So a value gets in only as a validated name, an address, or an option of nginx_options.py.
"""

import re
from collections.abc import Collection
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from paas.errors import InvalidName, ProxyUnavailable
from paas.firewall import SERVICE_PORT
from paas.model import app_name, domain_patterns
from paas.nginx_options import OPTIONS, check_option
from paas.proxies.base import Site
from paas.settings import Settings
from paas.site_logs import access_log, error_log, log_folder

SAFE_PATH = re.compile(r"/[A-Za-z0-9._/-]+", re.ASCII)
IPV6 = Path("/proc/net/if_inet6")  # missing where the kernel has IPv6 turned off

# Directives that may stand only once in http {}: left out where the owner has them already.
LIMITS = {"server_names_hash_bucket_size": "512", "server_names_hash_max_size": "8192"}
DEFAULT_SERVER = "default_server"  # yields in the same way


class Sites:
    """Renders the files of one instance from the owner's templates, else the shipped ones."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._environment = Environment(
            loader=FileSystemLoader([settings.templates, settings.share / "nginx-templates"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,  # noqa: S701 - the output is not HTML; see the module's docstring
        )

        self._own = self._own_templates()
        with suppress(TemplateError):  # a broken one is shown to who publishes
            for name in self._environment.list_templates(extensions=["j2"]):
                self._environment.get_template(name)  # once before the forks, not in each child

    def refresh(self) -> None:
        """Read the templates anew if the owner has put one in the place of a shipped one.

        A template that is changed or removed is noticed by jinja itself.
        """
        own = self._own_templates()
        if own != self._own and self._environment.cache is not None:
            self._environment.cache.clear()
        self._own = own

    def _own_templates(self) -> frozenset[Path]:
        return frozenset(self._settings.templates.rglob("*.j2"))

    def render(self, site: Site) -> str:
        """Return the site's vhost. Raises InvalidName, UsageError, ProxyUnavailable (template)."""
        chosen = {name: check_option(name, value) for name, value in site.options.items()}
        return self._render(
            "site.conf.j2",
            app=app_name(site.app),
            servers=self._servers(site),
            # for a template of the owner's that knows neither https nor several servers
            domains=[_domain(domain) for domain in site.domains],
            listen=self._listen(),
            pem=_path(self.pem(site.app)),
            https_port=int(self._settings.https_port),
            upstreams=[f"{IPv4Address(address)}:{SERVICE_PORT}" for address in site.upstreams],
            options={name: option.default for name, option in OPTIONS.items()} | chosen,
            log=_path(access_log(self._settings, site.app)),
            error_log=_path(error_log(self._settings, site.app)),
        )

    def _servers(self, site: Site) -> list[dict[str, object]]:
        """Return the server blocks: of plain domains, and of those that have a certificate.

        The plain domains of an app with a certificate stay as they are: clients would refuse it.
        """
        domains, certificate = [_domain(domain) for domain in site.domains], site.certificate
        secure = [domain for domain in domains if certificate and certificate.covers(domain)]
        plain = [domain for domain in domains if domain not in secure]
        http, https = self._listen(), self._listen(self._settings.https_port)
        blocks: list[dict[str, object]] = [
            {"kind": "plain", "domains": plain, "listen": http},
            {"kind": "redirect", "domains": secure, "listen": http},
            {"kind": "secure", "domains": secure, "listen": https},
        ]
        return [block for block in blocks if block["domains"]]

    def pem(self, app: str) -> Path:
        """Return the path of the app's certificate and key, which only root may read."""
        return self._settings.nginx / "sites" / f"{app_name(app)}.pem"

    @property
    def log_folder(self) -> Path:
        """Return the folder of the access logs."""
        return log_folder(self._settings)

    def render_main(self, yielded: Collection[str]) -> str:
        """Return paas.conf, without the directives that the owner's configuration has itself."""
        limits = [f"{name} {value}" for name, value in LIMITS.items() if name not in yielded]
        return self._render(
            "paas.conf.j2",
            limits=limits,
            folder=_path(self._settings.nginx),
            templates=_path(self._settings.templates),
        )

    def render_default(
        self, yielded: Collection[str], *, https: bool = False, nobody: Path | None = None
    ) -> str:
        """Return the servers for hosts that no app has: of http, and of https where it is used.

        `nobody` is the certificate that an nginx shows which cannot refuse handshakes.
        """
        return self._render(
            "default.conf.j2",
            listen=self._listen(),
            https_listen=self._listen(self._settings.https_port) if https else [],
            is_default=DEFAULT_SERVER not in yielded,
            nobody=_path(nobody) if nobody else "",
        )

    def _listen(self, port: int | None = None) -> list[str]:
        port = int(port or self._settings.http_port)
        return [f"{port}", *([f"[::]:{port}"] if IPV6.exists() else [])]

    def _render(self, template: str, **values: object) -> str:
        try:
            return self._environment.get_template(template).render(
                instance=self._settings.instance, **values
            )
        except TemplateError as error:
            raise ProxyUnavailable(
                f"The nginx template {template} cannot be rendered: {error}",
                hint=f"Mend or remove the templates in {self._settings.templates}",
            ) from error


def _domain(domain: str) -> str:
    if domain_patterns(domain) != (domain,):
        raise InvalidName(f"{domain!r} is not a normalised domain name")
    return domain


def _path(path: Path) -> str:
    if not SAFE_PATH.fullmatch(str(path)):
        raise InvalidName(
            f"{str(path)!r} cannot stand in an nginx file",
            hint="Use letters, digits and . _ - in the data root's path.",
        )
    return str(path)
