"""Images that a user sends (docker save): taken into the engine under a name of the app's own.

A file of docker save can hold many images and give them any names. Loaded as it is, it could take
the name of the stack, or of another app's image. So only the image that was named goes on, without
a name; what it is called here is made of its content.
"""

import io
import json
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from docker import APIClient
from docker.errors import APIError

from paas.build.layers import inflate, too_large, weigh
from paas.build.reference import parse_reference
from paas.errors import BuildFailed, SourceRefused
from paas.reporter import clean

ALIAS = "paas/loaded"  # what a Dockerfile calls it
TAG = "loaded-"
MANIFEST = "manifest.json"
SMALL = 1 << 20  # bytes that the manifest may have, and the image's configuration
LOADED = re.compile(r"Loaded image ID: (sha256:[0-9a-f]{64})", re.ASCII)
MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*", re.ASCII)
MOST_LAYERS = 200
NOT_FOUND, IN_USE = 404, 409  # of the Engine API


def load(api: APIClient, source: BinaryIO, name: str, room: Path, most: int) -> str:
    """Load the image called `name` from what docker save wrote; return its id.

    `room` is a folder for what is passed on, `most` how many bytes it may unpack to. Raises
    SourceRefused, BuildFailed, docker's errors.
    """
    with tempfile.TemporaryFile(dir=room) as file:
        try:
            with tarfile.open(fileobj=source, mode="r:") as saved:
                _pass_on(saved, name, file, room, most)
        except (tarfile.TarError, EOFError, KeyError, ValueError) as error:
            raise SourceRefused(
                f"This is not what docker save writes: {clean(str(error))[:200]}",
                hint=f"Send it so: docker save {name} | ... git:load-image APP {name}",
            ) from error
        file.seek(0)
        lines = "".join(str(line.get("stream", "")) for line in api.load_image(file))  # type: ignore[no-untyped-call] # docker's stubs
    found = LOADED.search(lines)
    if not found:
        raise BuildFailed(f"The engine did not take the image: {clean(lines)[:300]}")
    image = found[1]
    if api.inspect_image(image)["Config"].get("OnBuild"):  # type: ignore[no-untyped-call] # as above
        raise BuildFailed(f"{name} has ONBUILD instructions, which builds may not run")
    return image


def aliases(api: APIClient, repository: str) -> dict[str, str]:
    """Return {name in a Dockerfile: name in the engine} of what was loaded for an app."""
    prefix = f"{repository}:{TAG}"
    names = [n for image in api.images(name=repository) for n in image["RepoTags"] or ()]
    return {alias_of(n.removeprefix(prefix)): n for n in names if n.startswith(prefix)}


def alias_of(short: str) -> str:
    """Return what a Dockerfile calls the image whose id begins with `short`."""
    return f"{ALIAS}:{short}"


def remove_name(api: APIClient, name: str) -> None:
    """Take a name away; the image goes with its last one. A container may still use it."""
    try:
        api.remove_image(name)
    except APIError as error:
        if error.status_code not in {NOT_FOUND, IN_USE}:
            raise


def _pass_on(saved: tarfile.TarFile, name: str, file: BinaryIO, room: Path, most: int) -> None:
    entry = _find(saved, name)
    layers = [str(layer) for layer in entry["Layers"]]
    if len(layers) > MOST_LAYERS:
        raise SourceRefused(f"The image has more than {MOST_LAYERS} layers")
    config = str(entry["Config"])
    manifest = json.dumps([{"Config": config, "RepoTags": None, "Layers": layers}]).encode()
    weights: dict[str, int] = {}
    with tarfile.open(fileobj=file, mode="w:") as out:
        for member in _members(saved, [config, *dict.fromkeys(layers)]):
            if member.issym():
                weights[member.name] = weights[_target(member)]
                out.addfile(member)
            elif member.name == config:
                _add(out, config, io.BytesIO(_read(saved, member)))
            else:
                weights[member.name] = _add_layer(saved, member, out, room, most)
        _add(out, MANIFEST, io.BytesIO(manifest))
    if sum(weights[layer] for layer in layers) > most:  # one file can be many layers
        raise too_large(most)


def _add_layer(
    saved: tarfile.TarFile, member: tarfile.TarInfo, out: tarfile.TarFile, room: Path, most: int
) -> int:
    """Pass a layer on as a plain tar; return what it weighs. Raises SourceRefused."""
    content = saved.extractfile(member)
    assert content is not None  # noqa: S101 - _members() yields files and links
    with tempfile.TemporaryFile(dir=room) as plain:
        inflate(content, plain, most)
        weight = weigh(plain, most)
        _add(out, member.name, plain)
    return weight


def _add(out: tarfile.TarFile, name: str, content: BinaryIO) -> None:
    head = tarfile.TarInfo(name)
    head.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    out.addfile(head, content)


def _read(saved: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Return a small file. Raises SourceRefused for a large one."""
    content = saved.extractfile(member)
    if content is None or member.size > SMALL:
        raise SourceRefused(f"{member.name!a} is no file, or too long")
    return content.read()


def _find(saved: tarfile.TarFile, name: str) -> Mapping[str, Any]:
    """Return the manifest's entry of the image. Raises SourceRefused with those that are there."""
    entries = json.loads(_read(saved, saved.getmember(MANIFEST)))
    wanted = parse_reference(name)
    for entry in entries:
        if wanted and wanted in map(parse_reference, entry.get("RepoTags") or ()):
            return dict(entry)
    tags = ", ".join(tag for entry in entries for tag in entry.get("RepoTags") or ())
    raise SourceRefused(
        f"The image {name} is not in what was sent", hint=f"There are: {clean(tags)[:200] or '-'}"
    )


def _members(saved: tarfile.TarFile, names: list[str]) -> Iterator[tarfile.TarInfo]:
    """Yield these files, each link's target before the link. Raises SourceRefused."""
    done: set[str] = set()
    todo = names[::-1]
    while todo:
        member = saved.getmember(todo.pop())
        if not MEMBER.fullmatch(member.name) or not (member.isreg() or member.issym()):
            raise SourceRefused(f"{member.name!a} does not belong into a saved image")
        if member.name in done:
            continue
        if member.issym():  # docker save links a layer that comes twice: ../<id>/layer.tar
            target = _target(member)
            if not MEMBER.fullmatch(target):
                raise SourceRefused(f"{member.name!a} links out of the image")
            if target not in done:
                todo += [member.name, target]
                if len(todo) > 4 * MOST_LAYERS:
                    raise SourceRefused("The links in the image lead in a circle")
                continue
        done.add(member.name)
        yield member


def _target(link: tarfile.TarInfo) -> str:
    return link.linkname.removeprefix("../")
