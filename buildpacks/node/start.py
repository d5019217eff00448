"""The command that starts a Node server, when no Procfile says it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paas.source import Source

FILES = ("server.js", "index.js", "app.js", "main.js", "server.mjs", "index.mjs")
PATH = re.compile(r"[A-Za-z0-9_][\w./-]{0,200}", re.ASCII)
NEEDS_NPM = re.compile(r"npm_|[\x00-\x1f]")  # variables that only npm sets; no one-line command


@dataclass(frozen=True)
class Start:
    """A shell line, and where it comes from."""

    command: str
    origin: str


def find_start(
    source: Source, package: Mapping[str, Any], scripts: Mapping[str, str]
) -> Start | None:
    """Return the start script's own line, else `node` with main or with a usual file.

    Without npm between, the app starts sooner and gets its SIGTERM itself. npm is used where a
    hook (prestart, poststart) or one of its variables needs it.
    """
    if "start" in scripts:
        hooked = "prestart" in scripts or "poststart" in scripts
        plain = not hooked and not NEEDS_NPM.search(scripts["start"])
        return Start(scripts["start"] if plain else "npm start", "scripts.start")
    main = str(package.get("main", "")).removeprefix("./")
    if PATH.fullmatch(main) and (_exists(source, main) or "build" in scripts):
        return Start(f"node {main}", f"main {main}")
    for name in FILES:
        if source.has(name):
            return Start(f"node {name}", name)
    return None


def _exists(source: Source, main: str) -> bool:
    return any(source.has(main + end) for end in ("", ".js", ".mjs", ".cjs", "/index.js"))
