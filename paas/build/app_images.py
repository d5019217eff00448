"""An app's images on the engine: the names that keep them, and what they say of themselves."""

import re

from docker import APIClient
from docker.errors import APIError

from paas.errors import BuildFailed
from paas.model import App, Image
from paas.settings import Settings

MAX_IMAGE = 2 * 1024**3
GIGABYTE = 1e9


def image_name(settings: Settings, app: App, image: str) -> str:
    """Return the name that keeps an app's image from being pruned; it is made of the content."""
    return f"{repository(settings, app)}:{image.removeprefix('sha256:')[:12]}"


def repository(settings: Settings, app: App) -> str:
    """Return what the names of all images of an app begin with."""
    return f"{settings.instance}/app-{app.id}"


def named_images(api: APIClient, settings: Settings, app: App) -> dict[str, list[str]]:
    """Return {image id: the app's names of it}, without what was loaded from a file."""
    own = re.compile(re.escape(repository(settings, app)) + ":[0-9a-f]+", re.ASCII)
    names = {
        image["Id"]: [name for name in image["RepoTags"] or () if own.fullmatch(name)]
        for image in api.images(name=repository(settings, app))
    }
    return {image: own_names for image, own_names in names.items() if own_names}


def keep_image(api: APIClient, settings: Settings, app: App, image: str) -> Image:
    """Give an image the app's name, and return what it is.

    Raises BuildFailed for one that was lost, and for one that is too big, which is removed.
    """
    made = _describe(api, image)
    if made.size > MAX_IMAGE:
        api.remove_image(made.id)
        raise BuildFailed(
            f"The image has {made.size / GIGABYTE:.1f} GB, more than the"
            f" {MAX_IMAGE / GIGABYTE:.1f} GB that an app may have",
            hint="Copy only what the app needs into the last stage; see .dockerignore.",
        )
    name, _, tag = image_name(settings, app, made.id).rpartition(":")
    api.tag(made.id, name, tag)
    return made


def size_of(api: APIClient, image: str) -> int:
    """Return how many bytes the files of an image take.

    They are added up by layer: what the containerd store says of an image is its packed size.
    """
    layers = api.history(image)  # type: ignore[no-untyped-call] # its stub lacks types
    return sum(int(layer["Size"]) for layer in layers)


def _describe(api: APIClient, image: str) -> Image:
    """Return the image as the engine knows it."""
    try:
        found = api.inspect_image(image)  # type: ignore[no-untyped-call] # its stub lacks types
        size = max(found["Size"], size_of(api, found["Id"]))
    except APIError as error:
        raise BuildFailed(f"The image was lost right after its build: {error}") from error
    config = found["Config"]
    ports = (port.split("/") for port in config.get("ExposedPorts") or {})
    return Image(
        id=found["Id"],
        size=size,
        exposed=tuple(sorted(int(number) for number, kind in ports if kind == "tcp")),
        volumes=tuple(sorted(config.get("Volumes") or {})),
        command=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        user=config.get("User", ""),
        labels=config.get("Labels") or {},
    )
