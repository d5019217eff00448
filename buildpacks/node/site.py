"""Sites that a build step makes: which tool, and the folder it writes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paas.source import Source


@dataclass(frozen=True)
class Site:
    """`fallback`: paths that are no file answer index.html, for routers in the browser."""

    tool: str
    root: str
    fallback: bool

    @property
    def summary(self) -> str:
        """Return the part of the plan's line."""
        return f"{self.tool} (static site in {self.root})"


TOOLS = {
    "astro": Site("Astro", "dist", fallback=False),
    "react-scripts": Site("Create React App", "build", fallback=True),
    "@angular/core": Site("Angular", "dist", fallback=True),
    "@vue/cli-service": Site("Vue CLI", "dist", fallback=True),
    "gatsby": Site("Gatsby", "public", fallback=False),
    "@docusaurus/core": Site("Docusaurus", "build", fallback=False),
    "@11ty/eleventy": Site("Eleventy", "_site", fallback=False),
    "parcel": Site("Parcel", "dist", fallback=True),
    "vite": Site("Vite", "dist", fallback=True),
}
OUT_DIR = re.compile(r"\boutDir\s*:\s*[\"'](?:\./)?([\w./-]+?)/?[\"']", re.ASCII)
CONFIGS = tuple(f"{t}.config.{end}" for t in ("vite", "astro") for end in ("js", "ts", "mjs"))
# Start scripts that serve while one develops: they are not for the public.
DEVELOPMENT = re.compile(
    r"(?:npx )?(?:react-scripts start|vite|vite (?:dev|serve|preview)"
    r"|astro (?:dev|preview)|ng serve|vue-cli-service serve|gatsby develop"
    r"|docusaurus start|eleventy --serve|parcel)\b.*"
)
SETTING = re.compile(r"^root\s*:\s*(?:\./)?([\w./-]+?)/?\s*$", re.MULTILINE | re.ASCII)


def find_site(
    source: Source, package: Mapping[str, Any], scripts: Mapping[str, str]
) -> Site | None:
    """Return the site that the build makes; None if the app has a server of its own.

    A Staticfile says which folder is served (`root: out`), and that it is one.
    """
    start = scripts.get("start", "")
    if start and not DEVELOPMENT.fullmatch(start):
        return None
    names = {**package.get("dependencies", {}), **package.get("devDependencies", {})}
    tool = next((site for name, site in TOOLS.items() if name in names), None)
    if source.has("Staticfile"):
        match = SETTING.search(source.read("Staticfile"))
        fallback = tool.fallback if tool else False
        return Site(tool.tool if tool else "site", match[1] if match else "dist", fallback)
    if tool is None:
        return None
    return Site(tool.tool, _out_dir(source) or tool.root, tool.fallback)


def _out_dir(source: Source) -> str | None:
    for path in CONFIGS:
        if source.has(path) and (match := OUT_DIR.search(source.read(path))):
            return match[1]
    return None
