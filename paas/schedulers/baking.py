"""Commands whose files stay: they run in a container of an image, and what they wrote is committed.

`POST /commit` adds to the new image whatever the container's own config has and the image's has
not: variables, labels, user, command, health check (moby's merge()). So this container has none of
these. It only waits, and the command is executed in it: what an exec gets stays in no image.

Files in images are root's: the command runs as root, but without any capability, and so without
the right to pass over the permissions of others' files. Volumes are not there: as root it could
leave files there that are not the app's, or, in folders of the host, a program with root's setuid
bit.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound

from paas.disk import is_short, watched
from paas.errors import DiskFull, ImageMissing, StartFailed
from paas.schedulers.allowed import check_settings
from paas.schedulers.attached import deadline, how_it_ended, opened
from paas.schedulers.base import Exit, ProcessSpec
from paas.schedulers.engine import HTTP_CONFLICT, TIMEOUT, Engine
from paas.schedulers.execs import wait_for_exec
from paas.schedulers.profile import container_settings
from paas.schedulers.streams import read_frames
from paas.settings import Settings

ROOT = "0:0"
WAIT = ("/bin/sh", "-c", "read _")  # its input stays open and nobody writes there
NOTHING: Mapping[str, Any] = {"Test": ["NONE"]}
SECONDS = 600  # for the commit of what a command wrote, at most the app's image size
UNSET = ("Env", "Cmd", "StopSignal", "Healthcheck")
OWN = ("User", "Entrypoint", "Labels", "OpenStdin")


class Oven:
    """What one command is baked with. Raises StartFailed, ImageMissing."""

    def __init__(self, engine: Engine, settings: Settings, spec: ProcessSpec) -> None:
        self._engine, self._settings = engine, settings
        self.spec = replace(spec, mounts=(), host_mounts=())
        with_ca = settings.ca_bundle.is_file()
        self._plain = container_settings(self.spec, settings, with_ca=with_ca)
        self._image = image_config(engine, spec)
        self.config = baking_settings(self._plain, self._image, settings)
        check_baking(self.config, self._plain, settings)

    def execute(self, container_id: str, output: Callable[[bytes], None], timeout: float) -> Exit:
        """Run the command in the container that waits; return how it ended.

        Raises StartFailed when it takes too long, DiskFull.
        """
        engine, plain = self._engine, self._plain
        with (
            deadline(engine, container_id, self.spec, timeout),
            with_room(engine, self._settings, container_id),
        ):
            with engine.answering():
                words = [*plain["Entrypoint"], *plain["Cmd"]]
                made = engine.api.exec_create(container_id, words, environment=plain["Env"])
            exec_id = str(made["Id"])
            body = {"Detach": False, "Tty": False}
            with opened(engine, self._settings, f"/exec/{exec_id}/start", body) as connection:
                for _, data in read_frames(connection.output):
                    output(data)
            status = wait_for_exec(engine, exec_id)
        return self._end(container_id, status)

    def commit(self, container_id: str, made: Callable[[str], object]) -> None:
        """Make an image of the container's files, and hand over its id.

        The image has no name yet: if `made` raises, it goes. Raises EngineUnavailable.
        """
        with self._engine.answering():
            api = self._engine.api
            url = f"{api.base_url}/v{api.api_version}/commit"
            query = {"container": container_id}
            answer = api.post(url, params=query, json=self._image, timeout=SECONDS)
            answer.raise_for_status()
            image = str(answer.json()["Id"])
        try:
            made(image)
        except BaseException:
            with self._engine.answering(), suppress(APIError):
                self._engine.api.remove_image(image)
            raise

    def _end(self, container_id: str, status: int) -> Exit:
        """End the container that waits, which knows then whether its memory was enough."""
        with self._engine.answering():
            try:
                self._engine.api.kill(container_id)
            except APIError as error:
                if error.status_code != HTTP_CONFLICT:  # the command has ended what waits
                    raise
            self._engine.api.wait(container_id, timeout=TIMEOUT)
        return how_it_ended(self._engine, container_id, status)


def image_config(engine: Engine, spec: ProcessSpec) -> dict[str, Any]:
    """Return what the image says of itself, as the body of a commit. Raises ImageMissing.

    Empty lists instead of nothing: for nothing the engine takes what the container has.
    """
    with engine.answering():
        try:
            found = engine.api.inspect_image(spec.image)  # type: ignore[no-untyped-call] # docker's stubs
        except NotFound as error:
            raise ImageMissing(
                f"No such image: {spec.image}", hint=f"Run: ps:rebuild {spec.app.name}"
            ) from error
    config = dict(found["Config"])
    return config | {key: config.get(key) or [] for key in ("Entrypoint", "Cmd", "Env")}


def baking_settings(
    plain: Mapping[str, Any], image: Mapping[str, Any], settings: Settings
) -> dict[str, Any]:
    """Return the settings of the container that waits: root's, writable, and of no config."""
    host = plain["HostConfig"]
    config = {key: value for key, value in plain.items() if key not in UNSET}
    config |= {
        "User": ROOT if image.get("User") else "",  # it would be the user of an image without one
        "Entrypoint": list(WAIT),
        "Labels": {"paas.instance": settings.instance},
        "OpenStdin": True,
        "HostConfig": {**host, "ReadonlyRootfs": False, "Tmpfs": _of_root(host["Tmpfs"])},
    }
    return config | ({"Healthcheck": dict(NOTHING)} if image.get("Healthcheck") else {})


def check_baking(config: Mapping[str, Any], plain: Mapping[str, Any], settings: Settings) -> None:
    """Raise StartFailed if the settings differ from `plain`, or it from the profile, too much."""
    check_settings(plain, settings)
    rest = {key: value for key, value in config.items() if key != "Healthcheck"}
    wanted = {key: value for key, value in plain.items() if key not in UNSET}
    host = dict(wanted["HostConfig"])
    host |= {"ReadonlyRootfs": False, "Tmpfs": _of_root(host["Tmpfs"])}
    waits = rest.get("Entrypoint") == list(WAIT) and rest.get("OpenStdin") is True
    is_root = rest.get("User") in {"", ROOT}
    labelled = rest.get("Labels") == {"paas.instance": settings.instance}
    same = {**rest, **{key: wanted[key] for key in OWN}} == {**wanted, "HostConfig": host}
    if not (
        waits and is_root and labelled and same and config.get("Healthcheck", NOTHING) == NOTHING
    ):
        raise StartFailed("The settings are outside the hardened profile")


@contextmanager
def with_room(engine: Engine, settings: Settings, container_id: str) -> Iterator[None]:
    """Kill the container when it leaves too little room on the disk. Raises DiskFull then."""
    with engine.answering():
        data = Path(str(engine.api.info()["DockerRootDir"]))

    def stop() -> None:
        with suppress(APIError):  # it ended at the last moment
            engine.api.kill(container_id)

    with watched(lambda: is_short(settings, data), stop) as full:
        try:
            yield
        finally:
            if full.is_set():
                raise DiskFull(
                    "The command was ended: the disk is nearly full",
                    hint="Write less, or ask the host's owner to free some space",
                )


def _of_root(tmpfs: Mapping[str, str]) -> dict[str, str]:
    """Return the same mounts as root's: as another's, old engines make them closed to it."""
    return {
        path: ",".join((*options.split(",uid=")[0].split(","), "uid=0", "gid=0"))
        for path, options in tmpfs.items()
    }
