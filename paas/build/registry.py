"""Pulling base images before a build, with the login that the host's owner stored.

BuildKit has no login without a client's session. So the engine pulls through `/images/create`
first, and BuildKit finds the image in the engine's store and asks no registry.
"""

import re
import socket
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from docker import APIClient
from docker.errors import APIError, ImageNotFound

from paas.build.reference import Reference, parse_reference
from paas.errors import BuildFailed
from paas.reporter import Reporter, clean

Logins = Mapping[str, tuple[str, str]]  # registry host -> (user, password)
NO_REGISTRY = "FROM paas/stack (Debian with Python, and nginx) needs no registry."


def ensure_image(
    api: APIClient, name: str, logins: Logins, reporter: Reporter, *, refresh: bool
) -> None:
    """Have the image in the engine: pull it if it is missing, or if `refresh`.

    Raises BuildFailed when it cannot be pulled, when it is an image of this host only, and when it
    brings ONBUILD instructions: those would run in the build unchecked.
    """
    reference = parse_reference(name)
    if reference is None:
        raise BuildFailed(f"{name} is not an image name")
    image = _inspect(api, reference)
    if refresh or image is None or not _has_origin(image):
        _pull(api, reference, logins, reporter)
    image = _inspect(api, reference)
    if image is None:
        raise BuildFailed(f"{reference} is not an image of a registry", hint=NO_REGISTRY)
    if image["Config"].get("OnBuild"):
        raise BuildFailed(
            f"{reference} has ONBUILD instructions, which builds may not run",
            hint="Use a base image without ONBUILD.",
        )


def _inspect(api: APIClient, reference: Reference) -> Mapping[str, Any] | None:
    """Return the image if it came from its registry: only such images belong to everybody.

    What was built or imported on this host has no digest of that repository.
    """
    try:
        image: Mapping[str, Any] = api.inspect_image(str(reference))  # type: ignore[no-untyped-call] # its stub lacks types
    except ImageNotFound:
        return None
    digests = [str(digest).partition("@")[0] for digest in image.get("RepoDigests") or ()]
    return image if reference.name in digests else None


def _has_origin(image: Mapping[str, Any]) -> bool:
    """Whether a digest tells that it was pulled.

    The containerd store gives one to every image, its id: then only the registry can tell.
    """
    return not any(str(d).endswith(f"@{image['Id']}") for d in image["RepoDigests"])


def refuse_inside(host: str) -> None:
    """Raise BuildFailed if a registry's name leads to this host itself, or beside it.

    Anybody can let a public name lead to 127.0.0.1, and to loopback the engine speaks plain HTTP.
    A name that changes its mind between this look and the engine's own is not caught.
    """
    name = re.sub(r":[0-9]+$", "", host).strip("[]")
    try:
        found = {ip_address(str(each[4][0])) for each in socket.getaddrinfo(name, None)}
    except OSError:  # then the engine says what is wrong, or it asks a proxy that knows the name
        return
    if any(a.is_loopback or a.is_link_local or a.is_unspecified for a in found):
        raise BuildFailed(
            f"The registry {host} leads back to this host, which builds may not reach",
            hint=f"The host's owner can allow it by storing a login for {host}.",
        )


def _pull(api: APIClient, reference: Reference, logins: Logins, reporter: Reporter) -> None:
    if reference.host not in logins:
        refuse_inside(reference.host)
    reporter.detail(f"Pulling {reference}")
    user, password = logins.get(reference.host, ("", ""))
    # An empty login, not None: docker-py would take the one of root's own ~/.docker/config.json.
    login = {"username": user, "password": password} if user else {}
    shown = set()
    try:
        for line in api.pull(
            reference.name,
            tag=reference.digest or reference.tag,
            auth_config=login,
            stream=True,
            decode=True,
        ):
            if "error" in line:
                raise _failure(reference, str(line["error"]), has_login=bool(user))
            text = f"{line.get('id', '')} {line.get('status', '')}".strip()
            if text not in shown:
                shown.add(text)
                reporter.tool(text)
    except APIError as error:
        raise _failure(reference, str(error.explanation), has_login=bool(user)) from None


def _failure(reference: Reference, reason: str, *, has_login: bool) -> BuildFailed:
    reason = " ".join(clean(reason).split())[:400]
    denied = any(word in reason.lower() for word in ("denied", "unauthorized", "no basic auth"))
    if denied and has_login:
        hint = f"The registry refused the login stored for {reference.host}: is it still valid?"
    elif denied:
        login = f"registry:login {reference.host} USER"
        hint = f"If it is private, the host's owner has to store a login: {login}"
    else:
        hint = f"Is the name right, and does the host reach {reference.host}?"
    return BuildFailed(
        f"The image {reference} cannot be pulled: {reason}", hint=f"{hint}\n{NO_REGISTRY}"
    )
