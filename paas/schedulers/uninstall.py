"""Takes everything of one instance out of the engine, when paas leaves the host."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from docker.errors import APIError, NotFound

from paas.schedulers.engine import Engine
from paas.schedulers.removal import remove_container
from paas.settings import Settings


def remove_all(settings: Settings, report: Callable[[str], object], *, keep_volumes: bool) -> None:
    """Remove containers, networks, images and, unless they are kept, volumes of the instance.

    The build cache belongs to the engine: nobody can tell whose an entry is. Raises
    EngineUnavailable.
    """
    engine = Engine(settings.engine)
    label = {"label": f"paas.instance={settings.instance}"}
    try:
        containers = [c["Id"] for c in engine.api.containers(all=True, filters=label)]
        for container in containers:
            remove_container(engine, container)
        with engine.answering():
            networks = [n["Id"] for n in engine.api.networks(filters=label)]
            for network in networks:
                engine.api.remove_network(network)
            volumes = [] if keep_volumes else _volumes(engine, label)
            for volume in volumes:
                engine.api.remove_volume(volume, force=True)
            images = list(_images(engine, settings.instance))
            for image in images:
                with suppress(NotFound, APIError):  # another instance's container may need it
                    engine.api.remove_image(image, force=False)
    finally:
        engine.close()
    counts = (len(containers), len(networks), len(volumes), len(images))
    if any(counts):
        report("removed {} containers, {} networks, {} volumes, {} images".format(*counts))


def _volumes(engine: Engine, label: dict[str, str]) -> list[str]:
    return [volume["Name"] for volume in engine.api.volumes(filters=label)["Volumes"] or ()]


def _images(engine: Engine, instance: str) -> Iterator[str]:
    """Yield the names below `<instance>/`."""
    for image in engine.api.images():
        for name in image["RepoTags"] or ():
            if name.startswith(f"{instance}/"):
                yield name
