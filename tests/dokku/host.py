"""A Dokku host for tests: its folders, and a program that answers its read verbs from them."""

import json
import sys
from pathlib import Path

from paas.certificates import generate

PROGRAM = Path(__file__)


def make_app(home: Path, data: Path, name: str, *, domains: str = "", env: str = "") -> Path:
    """Lay out an app as Dokku does: a bare repository with more files beside it."""
    place = home / name
    place.mkdir(parents=True)
    (place / "HEAD").write_text("ref: refs/heads/master\n")
    (place / "ENV").write_text(env)
    (place / "VHOST").write_text(domains)
    return place


def set_property(data: Path, plugin: str, name: str, key: str, text: str) -> None:
    folder = data / "config" / plugin / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / key).write_text(text)


def add_certificate(place: Path, domain: str) -> None:
    made = generate(domain)
    (place / "tls").mkdir()
    (place / "tls" / "server.crt").write_text(made.chain)
    (place / "tls" / "server.key").write_text(made.key)


def answer(home: Path, argv: list[str]) -> str:  # noqa: PLR0911 - one per verb
    """Print what Dokku 0.38 prints for a read verb; raise KeyError for what it does not know."""
    from paas.dokku.folders import DokkuFolders  # noqa: PLC0415 - only when run as a program

    folders = DokkuFolders(home, home.parent / "lib")
    match argv:
        case ["--quiet", "apps:list"]:
            return "\n".join(folders.apps())
        case ["config:export", "--format", "json", "--global"]:
            return json.dumps(folders.config())
        case ["config:export", "--format", "json", name]:
            return json.dumps({**folders.read(name).config, "DOKKU_APP_RESTORE": "1"})
        case ["domains:report", name, "--domains-app-vhosts"]:
            return " ".join(folders.read(name).domains)
        case ["ps:scale", name]:
            rows = [f"{kind}:  {number}" for kind, number in folders.read(name).scale.items()]
            head = [f"-----> Scaling for {name}", "proctype: qty", "--------: ---"]
            return "\n".join((*head, *rows))
        case ["certs:report", name, "--ssl-enabled"]:
            return str(folders.read(name).certificate is not None).lower()
        case ["certs:show", name, part]:
            return (home / name / "tls" / f"server.{part}").read_text()
        case ["git:report", name, "--git-deploy-branch"]:
            return folders.read(name).branch or "master"
    raise KeyError(argv[0])


if __name__ == "__main__":  # host.py HOME ssh-options -- TARGET verb ...
    words = sys.argv[sys.argv.index("--") + 2 :]
    try:
        sys.stdout.write(answer(Path(sys.argv[1]), words) + "\n")
    except KeyError as error:
        sys.exit(f" !     {error} is not a dokku command")
