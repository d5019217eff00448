"""Static sites: files that nginx serves as they are."""

import re

from paas.build.buildpack import Recipe, Stack
from paas.build.procfile import NAME
from paas.source import Source

ORDER = 30  # last: many apps have an index.html somewhere
MARKERS = ("Staticfile", "index.html", "public/index.html")
SETTING = re.compile(r"^(root|index_fallback|pushstate)\s*:\s*[\"']?([^\"'#\s]+)", re.MULTILINE)
COMMAND = "serve-site"  # made by site.j2
HIDDEN = (".git", "Staticfile", NAME, "Dockerfile", ".dockerignore", ".gitignore")


def detect(source: Source) -> str | None:
    """Return the file that makes this a site."""
    return next((name for name in MARKERS if source.has(name)), None)


def plan(source: Source, stack: Stack) -> Recipe:  # noqa: ARG001 - the seam gives the stack to all
    """Return the recipe; a Staticfile may say `root: dist` and `index_fallback: true`."""
    text = source.read("Staticfile") if source.has("Staticfile") else ""
    settings = dict(SETTING.findall(text))
    fallback = {settings.get("index_fallback"), settings.get("pushstate")} & {"true", "enabled"}
    root, origin = _root(source, settings)
    place = "" if root == "." else f"{root}/"
    return Recipe(
        summary=f"Static site, {place}index.html{origin}",
        values={"root": root, "fallback": bool(fallback), "hashed": False},
        command=COMMAND,
        notes=() if source.has(f"{place}index.html") else (f"{place}index.html is missing",),
        ignore=HIDDEN,
    )


def _root(source: Source, settings: dict[str, str]) -> tuple[str, str]:
    if "root" in settings:
        return settings["root"].removeprefix("./").strip("/") or ".", " (Staticfile)"
    return ("." if source.has("index.html") else "public"), ""
