"""Images of apps as a file: for backups. An image keeps its id, not its name."""

import shutil
from collections.abc import Collection, Mapping
from typing import BinaryIO

from docker import APIClient
from docker.errors import ImageNotFound

PIECE = 1 << 20


def save_images(api: APIClient, images: Collection[str], out: BinaryIO) -> None:
    """Write images with all their layers, each layer once. Raises docker's errors, OSError."""
    url = f"{api.base_url}/v{api.api_version}/images/get"
    with api.get(url, params={"names": sorted(images)}, stream=True, timeout=600) as response:
        response.raise_for_status()
        shutil.copyfileobj(response.raw, out, PIECE)


def load_images(api: APIClient, source: BinaryIO, names: Mapping[str, Collection[str]]) -> None:
    """Load what save_images() wrote, and give {id: names} to what came. Raises docker's errors."""
    for _ in api.load_image(source):  # type: ignore[no-untyped-call] # docker's stubs
        pass
    for image, wanted in names.items():
        for name in wanted:
            repository, _, tag = name.rpartition(":")
            try:
                api.tag(image, repository, tag)
            except ImageNotFound:
                break  # it was not in the file: it is built again
