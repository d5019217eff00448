"""git:from-*, git:sync: code that comes otherwise than by a push."""

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

import click

from paas import disk, gitset, identity, outside, remotes, sources
from paas.archive import EXECUTABLE, FILE, LINK, TYPES, read_archive
from paas.commands.declare import Access, Context, command
from paas.errors import Forbidden, InvalidName, UsageError
from paas.git.base import Note
from paas.model import App
from paas.origins import ARCHIVE, DOCKER_IMAGE, Origin, public_part
from paas.platform import Platform
from paas.reporter import DETAIL, STEP
from paas.source import NewFile
from paas.verb import Cause

MAX_SAVED = 4 * 1024**3  # bytes that docker save may send; an image has at most 2 GB
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,400}", re.ASCII)
UNCHANGED = "No changes detected, nothing is deployed; to build it again: ps:rebuild"


@command(
    "git:from-archive",
    access=Access.DEPLOYER,
    examples=(
        "git:from-archive shop https://example.org/shop-1.2.tar.gz",
        "git:from-archive --archive-type zip shop -- < shop.zip",
    ),
)
@click.argument("app")
@click.argument("words", nargs=-1, metavar="URL|-- [NAME MAIL]")
@click.option("--archive-type", "kind", type=click.Choice(TYPES), help="Default: it is looked at.")
def git_from_archive(context: Context, app: str, words: tuple[str, ...], kind: str | None) -> None:
    """Deploy the files in an archive: from an https URL, or with `--` from standard input.

    It becomes a commit of NAME and MAIL. A single folder around all files is left out.
    """
    found = context.app(app)
    identity.refuse_locked(context.platform, found)
    from_stdin = "--" in context.request.argv or words[:1] == ("-",)
    url, *author = ("-", *words) if from_stdin and words[:1] != ("-",) else words or ("",)
    if not url:
        raise UsageError("Give the archive's URL, or -- to send it on standard input")
    bounds = gitset.archive_bounds(context.platform, found)
    note = _note(context, author, f"Archive {'from standard input' if url == '-' else url}")
    check = _check(context.platform)
    with _spool(context) as file:
        if url == "-":
            outside.copy(sys.stdin.buffer, file, bounds.size, check)
        else:
            click.echo(f"{STEP}Fetching {ascii(url)[1:-1]}")
            trusted = remotes.trusted_hosts(context.platform)
            settings = context.platform.settings
            with outside.within(settings.fetch_timeout, ascii(url)[1:-1]):
                outside.download(url, file, bounds.size, check, settings, trusted)
        file.seek(0)
        origin = Origin(ARCHIVE, "" if url == "-" else public_part(url))
        _deploy(context, found, read_archive(file, kind, bounds), note, origin)


@command(
    "git:from-image",
    access=Access.DEPLOYER,
    examples=(
        "git:from-image shop registry.example.org/shop:1.2",
        "git:from-image shop registry.example.org/shop:1.2 'Anna' anna@example.org",
    ),
)
@click.argument("app")
@click.argument("image")
@click.argument("author", nargs=-1, metavar="[NAME MAIL]")
@click.option("--build-dir", help="A folder on the host, whose files are added; for root.")
def git_from_image(
    context: Context, app: str, image: str, author: tuple[str, ...], build_dir: str | None
) -> None:
    """Deploy an image of a registry: its name becomes a Dockerfile of one line, in a commit."""
    found = context.app(app)
    identity.refuse_locked(context.platform, found)
    _check_image(image)
    files = list(_read_folder(context, build_dir)) if build_dir else []
    files.append(NewFile("Dockerfile", FILE, f"FROM {image}\n".encode()))
    note = _note(context, author, f"Image {image}")
    _deploy(context, found, files, note, Origin(DOCKER_IMAGE, image))
    context.platform.store.properties.set(found.id, gitset.TOPIC, gitset.SOURCE_IMAGE, image)


@command(
    "git:load-image",
    access=Access.DEPLOYER,
    examples=("git:load-image shop shop:1.2 < image.tar",),
)
@click.argument("app")
@click.argument("image")
@click.argument("author", nargs=-1, metavar="[NAME MAIL]")
def git_load_image(context: Context, app: str, image: str, author: tuple[str, ...]) -> None:
    """Deploy an image that is sent on standard input, as `docker save shop:1.2` writes it.

    Only this app can use it; its name on this host is made of its content.
    """
    platform, found = context.platform, context.app(app)
    identity.refuse_locked(platform, found)
    note = _note(context, author, f"Image {_check_image(image)}")
    context.control.outlive_client()
    with _spool(context) as file:
        outside.copy(sys.stdin.buffer, file, MAX_SAVED, _check(platform))
        file.seek(0)
        click.echo(f"{STEP}Loading {image}")
        alias = platform.builder.load_source(found, file, image)
    files = [NewFile("Dockerfile", FILE, f"FROM {alias}\n".encode())]
    _deploy(context, found, files, note, Origin(DOCKER_IMAGE, image))
    platform.store.properties.set(found.id, gitset.TOPIC, gitset.SOURCE_IMAGE, image)
    platform.builder.keep_source(found, alias)


@command(
    "git:sync",
    access=Access.DEPLOYER,
    examples=(
        "git:sync --build shop https://git.example.org/shop.git",
        "git:sync --build-if-changes shop git@git.example.org:team/shop.git v1.2",
    ),
)
@click.argument("app")
@click.argument("repository")
@click.argument("ref", required=False)
@click.option("--build", "when", flag_value="always", help="Deploy what was fetched.")
@click.option("--build-if-changes", "when", flag_value="new", help="Only if it is not deployed.")
@click.option("--skip-deploy-branch", is_flag=True, help="Keep the app's deploy branch.")
def git_sync(  # noqa: PLR0913, PLR0917 - what is typed, name by name
    context: Context,
    app: str,
    repository: str,
    ref: str | None,
    when: str | None,
    skip_deploy_branch: bool,
) -> None:
    """Fetch a branch, tag or commit from another host by https or ssh.

    Nothing is deployed unless that is asked for. Over ssh the app's own key is shown there, see
    git:generate-deploy-key; hosts have to be known, see git:allow-host.
    """
    platform, found = context.platform, context.app(app)
    identity.refuse_locked(platform, found)
    by = Cause(context.actor, "git:sync")
    remote = remotes.find_remote(platform, found, repository)
    context.control.outlive_client()
    click.echo(f"{STEP}Fetching {app} from {remote.host}")
    with sources.sync(platform, found, remote, ref, own_branch=skip_deploy_branch) as push:
        release = platform.store.releases.current(found.id)
        is_new = release is None or release.commit != push.new
        if when == "always" or (when == "new" and is_new):
            sources.deploy_fetched(platform, found, by, remote, push)
            return
        sources.store_fetched(platform, found, by, remote, push)
        state = "it is what is deployed" if not is_new else f"to deploy it: ps:rebuild {app}"
        click.echo(f'{DETAIL}{push.branch} is {push.new[:7]} "{push.subject}"; {state}')


def _check_image(image: str) -> str:
    if not IMAGE.fullmatch(image):
        raise InvalidName(f"{image!r} is not an image", hint="Give host/name:tag")
    return image


def _deploy(
    context: Context, app: App, files: Iterable[NewFile], note: Note, origin: Origin
) -> None:
    context.control.outlive_client()
    by = Cause(context.actor, str(click.get_current_context().info_name))
    if sources.deploy_files(context.platform, app, by, files, note, origin) is None:
        click.echo(f"{STEP}{UNCHANGED} {app.name}")


def _note(context: Context, author: Iterable[str], message: str) -> Note:
    """Return what the commit says of itself. Raises UsageError."""
    words = tuple(author) or (
        context.actor.name,
        f"{context.actor.name}@{context.platform.settings.host}",
    )
    if len(words) != 2:  # noqa: PLR2004 - a name and a mail address
        raise UsageError("Give a name and a mail address for the commit, or neither")
    return Note(words[0], words[1], message)


def _check(platform: Platform) -> outside.Check:
    """Return what stops a copy before it fills the disk: many may come at once."""
    return partial(disk.require_space, platform.settings)


@contextmanager
def _spool(context: Context) -> Iterator[BinaryIO]:
    """Give a file without a name, on the disk that the disk rule watches."""
    with tempfile.TemporaryFile(dir=context.platform.settings.run) as file:
        yield file


def _read_folder(context: Context, folder: str) -> Iterator[NewFile]:
    """Yield the files below a folder of the host. Raises Forbidden for all but root."""
    if not context.actor.is_host:
        raise Forbidden(
            "--build-dir reads the host's own files: it is for root on the host",
            hint="Send them instead: tar c . | ... git:from-archive APP --",
        )
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"{folder} is not a folder")
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if ".git" in name.split("/"):
            continue
        if path.is_symlink():
            yield NewFile(name, LINK, str(path.readlink()).encode())
        elif path.is_file():
            mode = EXECUTABLE if path.stat().st_mode & 0o100 else FILE
            yield NewFile(name, mode, path.read_bytes())
