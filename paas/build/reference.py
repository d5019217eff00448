"""Names of images, and which of them a Dockerfile may take from."""

import re
from dataclasses import dataclass
from ipaddress import ip_address

from paas.errors import BuildFailed

# The grammar of distribution/reference: [host[:port]/]path[:tag][@digest]
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
_REFERENCE = re.compile(
    rf"(?:(?P<host>{_HOST})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_HEX = re.compile(r"(?:sha256[:/])?[0-9a-f]{4,64}(?::.*)?", re.ASCII)
# What every instance of paas calls its own images; several instances can share one engine.
_OURS = re.compile(
    r"[a-z][a-z0-9]{0,11}/(?:app-[0-9]+|stack|stack-build|apt-cache|loaded)", re.ASCII
)
HUB = "docker.io"


@dataclass(frozen=True)
class Reference:
    """A complete image name: registry host, repository, and a tag or a digest."""

    host: str
    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """The repository as the engine shows it: short for Docker Hub."""
        if self.host != HUB:
            return f"{self.host}/{self.repository}"
        return self.repository.removeprefix("library/")

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


def parse_reference(text: str) -> Reference | None:
    """Return the name with its defaults filled in, as the engine reads it; None if it is none.

    A first part is a host only if it has a dot or a port, or is `localhost`.
    """
    match = _REFERENCE.fullmatch(text)
    if not match:
        return None
    host, path = match["host"], match["path"]
    if host and not ("." in host or ":" in host or host == "localhost"):
        host, path = None, f"{host}/{path}"
    if path != path.lower():
        return None
    host = HUB if host in {None, "index.docker.io"} else host
    if host == HUB and "/" not in path:
        path = f"library/{path}"
    return Reference(host, path, match["tag"] or "latest", match["digest"] or "")


def external_image(text: str, instance: str, known: frozenset[str]) -> Reference:
    """Return the registry image that `text` names; raise BuildFailed if a build may not have it.

    Refused are ids, images of paas and of its apps (they stand in no registry), and registries on
    this host or in private networks that the host's owner stored no login for (`known` hosts): the
    engine pulls from the host's own network, so such a name would reach what builds must not.
    """
    reference = parse_reference(text)
    if _HEX.fullmatch(text) or reference is None:
        raise BuildFailed(
            f"{text!r} is not the name of an image in a registry",
            hint="Write it as host/name:tag, or use FROM paas/stack, which needs no registry.",
        )
    name = reference.repository.removeprefix("library/")
    if reference.host == HUB and (name.startswith(f"{instance}/") or _OURS.fullmatch(name)):
        raise BuildFailed(
            f"{text} is an image of paas or of an app; builds may not read it",
            hint="Use FROM paas/stack, or an image from a registry.",
        )
    if _is_private(reference.host) and reference.host not in known:
        raise BuildFailed(
            f"{text} is in a registry inside the host's own network, which builds may not reach",
            hint="The host's owner can allow it by storing a login there: "
            f"registry:login {reference.host} USER",
        )
    return reference


def _is_private(host: str) -> bool:
    """Whether a registry's host is, or may well be, inside: literal addresses and short names.

    The C library also takes `127.1` and `0x7f.1` for addresses; no top-level domain begins with a
    digit. A public name that resolves to an inside address is not noticed here.
    """
    name = re.sub(r":[0-9]+$", "", host).strip("[]")
    try:
        return not ip_address(name).is_global
    except ValueError:
        last = name.rpartition(".")[2].lower()
        return "." not in name or last[:1].isdigit() or last in {"local", "internal", "localhost"}
