"""A Dokku host's data directories: /home/dokku and /var/lib/dokku, or a copy of them.

Where things stand is Dokku's: plugins/{config,domains,ps,certs,git,docker-options,storage}.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from paas.dokku.found import FoundApp, without_own
from paas.errors import NotFound, PaasError

NAME = re.compile(r"[a-z0-9][a-z0-9.-]*", re.ASCII)  # Dokku's own rule
LINE = re.compile(
    r"""(?:export[ ]+)? ([A-Za-z_][A-Za-z0-9_]*) =
    (?: "((?:[^"\\]|\\.)*)" | '((?:[^']|'\\'')*)' | (\S*) )""",
    re.ASCII | re.VERBOSE | re.DOTALL,
)
ESCAPE = re.compile(r"\\(.)", re.DOTALL)
ESCAPES = {"n": "\n", "r": "\r"}
SCALE = re.compile(r"([a-z][a-z0-9_-]*)[=:][ ]*([0-9]{1,3})", re.ASCII)
TEXT_BYTES = 4 * 1024 * 1024


class DokkuFolders:
    """Reads the files that Dokku keeps; changes nothing.

    We read as root what others could write: a link that leads out of the folders is refused, or an
    app would come with a file of this host as its config.
    """

    def __init__(self, home: Path, data: Path) -> None:
        self._home = home
        self._data = data

    def apps(self) -> tuple[str, ...]:
        if not self._home.is_dir():
            raise NotFound(
                f"{self._home} is no folder of a Dokku host", hint="It is /home/dokku there."
            )
        found = (path for path in self._home.iterdir() if NAME.fullmatch(path.name))
        return tuple(sorted(path.name for path in found if (path / "HEAD").is_file()))

    def read(self, name: str) -> FoundApp:
        place = self._home / name
        if name not in self.apps():
            raise NotFound(f"{self._home} has no app {name}", hint=f"It has: {self.apps()}")
        return FoundApp(
            name=name,
            config=without_own(parse_env(self._text(place / "ENV"))),
            domains=tuple(self._text(place / "VHOST").split()),
            scale=self._scale(name),
            certificate=self._certificate(place / "tls"),
            branch=self._property(name, "git", "deploy-branch") or None,
            left=tuple(self._left(name)),
        )

    def config(self) -> Mapping[str, str]:
        return without_own(parse_env(self._text(self._home / "ENV")))

    def _scale(self, name: str) -> dict[str, int]:
        """Return the formation: a property today, a file in the app's folder before 0.25."""
        text = self._property(name, "ps", "scale") or self._text(self._home / name / "DOKKU_SCALE")
        return parse_scale(text)

    def _certificate(self, folder: Path) -> bytes | None:
        files = [folder / "server.crt", folder / "server.key"]
        if not all(file.is_file() for file in files):
            return None
        return "\n".join(map(self._text, files)).encode()

    def _left(self, name: str) -> Iterator[str]:
        for phase in ("build", "deploy", "run"):
            old = self._text(self._home / name / f"DOCKER_OPTIONS_{phase.upper()}")
            new = self._property(name, "docker-options", f"_default_.{phase}")
            for option in (old or new).splitlines():
                yield f"docker option for {phase}: {option}"
        yield from (f"mount: {line}" for line in self._property(name, "storage", "mounts").split())

    def _property(self, name: str, plugin: str, key: str) -> str:
        return self._text(self._data / "config" / plugin / name / key)

    def _text(self, path: Path) -> str:
        """Return the file's text; "" if there is none. Raises PaasError when it cannot be read."""
        try:
            place = path.resolve(strict=True)
            if not any(place.is_relative_to(top.resolve()) for top in (self._home, self._data)):
                raise PaasError(f"{path} leads to {place}, which is not Dokku's")
            if not place.is_file():
                raise PaasError(f"{path} is no file")
            with place.open(encoding="utf-8") as file:
                return file.read(TEXT_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise PaasError(f"{path} cannot be read: {error}") from error


def parse_env(text: str) -> dict[str, str]:
    """Return {key: value} of an ENV file.

    Dokku writes KEY="value" with escapes (godotenv), and wrote `export KEY='value'` before 0.12.
    """
    values = {}
    for match in LINE.finditer(text):
        key, double, single, bare = match.groups()
        if double is not None:
            values[key] = ESCAPE.sub(lambda found: ESCAPES.get(found[1], found[1]), double)
        elif single is not None:
            values[key] = single.replace("'\\''", "'")
        else:
            values[key] = bare
    return values


def parse_scale(text: str) -> dict[str, int]:
    """Return {process type: quantity} of lines like `web=2` or `web: 2`."""
    found = (SCALE.fullmatch(line.strip()) for line in text.splitlines())
    return {match[1]: int(match[2]) for match in found if match}
