"""Where the code of a commit came from, in Dokku's words (apps:report's deploy source).

A commit without a note was pushed. Notes of commits that no release has are forgotten.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from paas.model import App
from paas.platform import Platform

TOPIC = "origin"
PUSH, SYNC, DOCKER_IMAGE, ARCHIVE = "git-push", "git-sync", "docker-image", "archive"


@dataclass(frozen=True)
class Origin:
    """A way that code comes by, and what it came as: a commit, URL#commit, an image, a URL."""

    kind: str
    detail: str


def note_origin(platform: Platform, app: App, commit: str, origin: Origin) -> None:
    """Remember where a commit came from; forget it of commits that are not deployed."""
    properties = platform.store.properties
    kept = {release.commit for release in platform.store.releases.list(app.id)}
    for known in properties.get(app.id, TOPIC).keys() - kept:
        properties.set(app.id, TOPIC, known, None)
    properties.set(app.id, TOPIC, commit, f"{origin.kind} {origin.detail}")


def origin_of(platform: Platform, app: App, commit: str) -> Origin:
    """Return where a commit came from."""
    noted = platform.store.properties.get(app.id, TOPIC).get(commit, f"{PUSH} {commit}")
    kind, _, detail = noted.partition(" ")
    return Origin(kind, detail)


def public_part(url: str) -> str:
    """Return a URL without what may be secret in it: user, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
