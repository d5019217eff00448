"""Build arguments in FROM lines: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+other}`."""

import re
from collections.abc import Mapping

from paas.errors import BuildFailed

_VARIABLE = re.compile(
    r"\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?:(?P<colon>:)?(?P<op>[-+])(?P<word>[^{}]*))?\})",
    re.ASCII,
)


def expand(text: str, values: Mapping[str, str], where: str) -> str:
    """Return `text` with its variables replaced, as BuildKit does for FROM.

    Raises BuildFailed for a variable without a value, and for forms that cannot be resolved here:
    the policy must know the image's name.
    """

    def value(match: re.Match[str]) -> str:
        name = match["plain"] or match["name"]
        found = values.get(name)
        given = bool(found) if match["colon"] else found is not None
        if match["op"] == "+":
            return expand(match["word"], values, where) if given else ""
        if match["op"] == "-" and not given:
            return expand(match["word"], values, where)
        if found is None:
            raise BuildFailed(
                f"{where}: the build argument {name} has no value",
                hint=f"Give it a default before the first FROM: ARG {name}=value",
            )
        return found

    result = _VARIABLE.sub(value, text)
    if "$" in result:
        raise BuildFailed(
            f"{where}: {text} cannot be resolved", hint="Use ${NAME} or ${NAME:-default} only."
        )
    return result


def platform_arguments(system: str, machine: str) -> dict[str, str]:
    """Return BuildKit's predefined platform arguments; paas builds for the engine's own only."""
    parts = {"PLATFORM": f"{system}/{machine}", "OS": system, "ARCH": machine, "VARIANT": ""}
    return {f"{side}{key}": value for side in ("BUILD", "TARGET") for key, value in parts.items()}


def arguments(words: tuple[str, ...], values: dict[str, str], given: Mapping[str, str]) -> None:
    """Take an ARG line that stands before the first FROM into `values`; `given` ones win."""
    for word in words:
        name, equals, default = word.partition("=")
        if name in given:
            values[name] = given[name]
        elif equals:
            values[name] = expand(default.strip("\"'"), values, f"ARG {name}")
