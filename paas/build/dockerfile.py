"""A Dockerfile, checked and rewritten, so that the engine runs what the policy has seen.

BuildKit's own parser reads it; what goes to the engine is written anew, one instruction a line.
So comments and parser directives are gone (`# syntax=` would fetch a foreign frontend; `# escape=`
is kept), and a difference between the parser here and an older one in the engine hides nothing.

- **Images.** FROM, COPY --from and --mount=from may name a stage, the stack, or an image of a
  registry (reference.py). They are pulled before the build, and FROM gets the resolved name.
- **URLs.** ADD of a URL is fetched by the engine in the host's network: refused. Every source of
  ADD gets a directory before it, so that no variable can turn it into one.
- **Context.** The tree stands in the directory `src` of the tar; Dockerfile and CA bundle beside
  it. So `COPY . .` copies the tree and nothing of ours. Sources are rewritten to that.
- **CA bundle.** Each RUN gets it as a read-only mount under /dev, and each stage the usual
  variables as ARG. /dev is a tmpfs of BuildKit, so that no mount point stays in the layer; ARG
  reaches RUN, not the image's environment, and a later ENV of the same name wins; BuildKit's cache
  key holds the bundle's content only. A mount over /etc/ssl/certs/ca-certificates.crt would leave a
  file in images that have none, and break the installation of ca-certificates.
"""

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from paas.build.ambiguity import find_ambiguity
from paas.build.expand import arguments, expand, platform_arguments
from paas.build.instructions import Instruction, escape_character, parse_dockerfile
from paas.build.reference import external_image
from paas.errors import BuildFailed

CONTEXT = "src"
CA_FILE = "ca.crt"
CA_PATH = "/dev/paas-ca.crt"
CA_VARIABLES = (  # OpenSSL, Go, Ruby, uv; pip; requests, poetry; curl; git; Node; Rust; Deno
    "SSL_CERT_FILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HTTP_CAINFO",
    "DENO_CERT",
)
UNCHANGED = frozenset(
    {"ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER"}
    | {"SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)
MOUNTS = frozenset({"bind", "cache", "tmpfs"})
_STAGE = re.compile(r"[a-z][a-z0-9_.-]*", re.ASCII)
_URL = re.compile(r"[\"']*(?:\w[\w+.-]*://|[\w.-]+@[\w.-]+:)", re.ASCII)


@dataclass(frozen=True)
class Rules:
    """What a Dockerfile may use here."""

    instance: str = "paas"
    stacks: Mapping[str, str] = field(default_factory=dict)  # name in FROM -> image of the engine
    registries: frozenset[str] = frozenset()  # hosts that a login is stored for
    args: Mapping[str, str] = field(default_factory=dict)
    system: str = "linux"
    machine: str = "amd64"
    modern: bool = False  # Engine 23 or later: heredocs, COPY --link, RUN --network
    ca: bool = True


@dataclass(frozen=True)
class Checked:
    """What goes to the engine, and the images that must be there before."""

    text: str
    images: tuple[str, ...]  # of registries
    stacks: tuple[str, ...]  # made on this host


def check_dockerfile(text: str, rules: Rules) -> Checked:
    """Check and rewrite a Dockerfile. Raises BuildFailed: line, reason and a way out."""
    return _Rewrite(rules, escape_character(text)).run(parse_dockerfile(text))


class _Rewrite:
    """One pass over the instructions, in order."""

    def __init__(self, rules: Rules, escape: str) -> None:
        self._rules = rules
        self._escape = escape
        self._values = platform_arguments(rules.system, rules.machine)
        self._names: list[str] = []  # of stages: all of them, so that --from may look ahead
        self._running: set[int] = set()  # the numbers of stages with a RUN
        self._has_heredocs = False  # whose lines are the only ones that nobody has checked
        self._stage = -1
        self._images: dict[str, None] = {}  # an ordered set
        self._stacks: dict[str, None] = {}
        self._lines = [f"# escape={escape}"] if escape != "\\" else []

    def run(self, instructions: tuple[Instruction, ...]) -> Checked:
        self._names = [_stage_name(i) for i in instructions if i.name == "FROM"]
        self._running = _stages_with_run(instructions)
        self._has_heredocs = any(i.has_heredoc for i in instructions)
        for instruction in instructions:
            self._where = f"Dockerfile line {instruction.line}"
            try:
                self._add(instruction, self._rewrite(instruction))
            except BuildFailed as error:
                if error.message.startswith("Dockerfile line"):
                    raise
                raise BuildFailed(f"{self._where}: {error.message}", hint=error.hint) from None
        if self._stage < 0:
            raise BuildFailed(
                "The Dockerfile has no FROM", hint="Begin it with FROM paas/stack or another image."
            )
        text = "\n".join(self._lines) + "\n"
        return Checked(text, tuple(self._images), tuple(self._stacks))

    def _add(self, instruction: Instruction, line: str) -> None:
        """Append an instruction, unless the engine's parser could read it as another one."""
        if instruction.has_heredoc and not self._rules.modern:
            raise self._refusal(
                "this engine does not know here-documents", "Join the commands with && instead."
            )
        found = find_ambiguity(instruction, line, self._escape, beside=self._has_heredocs)
        if found:
            raise self._refusal(*found)
        self._lines.append(line)

    def _rewrite(self, instruction: Instruction) -> str:
        if any(re.search(r"[\s\"'`\\]", flag) for flag in instruction.flags):
            raise self._refusal("a flag has quotes, escapes or spaces", "Write it without them.")
        if self._stage < 0 and instruction.name not in {"ARG", "FROM"}:
            raise self._refusal(f"{instruction.name} stands before FROM", "Move it behind FROM.")
        match instruction.name:
            case "FROM":
                return self._from(instruction)
            case "ADD" | "COPY":
                return self._copy(instruction)
            case "RUN":
                return self._run(instruction)
            case "ARG" if self._stage < 0:
                arguments(instruction.words, self._values, self._rules.args)
            case "ONBUILD":
                raise self._refusal(
                    "ONBUILD is not supported: nothing is built from an app's image", "Remove it."
                )
            case name if name not in UNCHANGED:
                raise self._refusal(f"{name} is not an instruction", "Correct it.")
        return instruction.text

    def _from(self, instruction: Instruction) -> str:
        words = instruction.words
        if len(words) not in {1, 3} or (len(words) == 3 and words[1].upper() != "AS"):  # noqa: PLR2004 - FROM x AS y
            raise self._refusal("FROM wants an image, and may have AS name", "Correct it.")
        for flag in instruction.flags:
            self._platform(flag)
        base = expand(words[0], self._values, self._where)
        self._stage += 1
        if base != "scratch" and base.lower() not in self._names[: self._stage]:
            base = self._image(base)
        line = f"FROM {base}" + (f" AS {words[2]}" if words[2:] else "")
        if self._rules.ca and self._stage in self._running:
            # Right behind FROM: in RUN, BuildKit lets the later of ARG and ENV win.
            line += "\nARG " + " ".join(f"{name}={CA_PATH}" for name in CA_VARIABLES)
        return line

    def _platform(self, flag: str) -> None:
        """Accept --platform when it means the engine's own: a foreign one would be fetched."""
        key, _, value = flag.partition("=")
        wanted = expand(value, self._values, self._where)
        own = self._values["TARGETPLATFORM"]
        if key != "--platform" or (wanted != own and not wanted.startswith(f"{own}/")):
            raise self._refusal(f"{flag} is not supported", f"This host builds for {own} only.")

    def _copy(self, instruction: Instruction) -> str:
        flags = [f for f in instruction.flags if self._rules.modern or not f.startswith("--link")]
        origins = [f for f in flags if f.startswith("--from=")]
        *sources, target = instruction.words or ("",)
        if not sources:
            raise self._refusal(
                f"{instruction.name} wants sources and a target", "Add what is missing."
            )
        if instruction.has_heredoc:
            if instruction.name == "ADD" or origins or not all(s.startswith("<<") for s in sources):
                raise self._refusal("a here-document stands beside files", "Use two COPY lines.")
            return instruction.text
        if origins:
            origin = self._origin(origins[0].partition("=")[2])
            flags = [f for f in flags if f not in origins] + [f"--from={origin}"]
        else:
            sources = [
                self._added(s) if instruction.name == "ADD" else _in_context(s) for s in sources
            ]
        return " ".join([instruction.name, *flags, _words([*sources, target])])

    def _added(self, source: str) -> str:
        """Return a source of ADD, which can be no URL: BuildKit takes `./` for a local path."""
        if _URL.match(source):
            raise self._refusal(
                f"ADD of {source} is not allowed: the engine would fetch it in the host's network",
                "Fetch it in a RUN step (install curl or wget there first), or commit the file.",
            )
        return f"./{_in_context(source)}"

    def _run(self, instruction: Instruction) -> str:
        flags = [self._run_flag(flag) for flag in instruction.flags]
        if self._rules.ca:
            flags.append(f"--mount=type=bind,source={CA_FILE},target={CA_PATH}")
        head = rf"\S+\s*(?:--\S+\s+){{{len(instruction.flags)}}}"
        rest = re.sub(rf"^{head}", "", instruction.text, count=1)
        return " ".join(["RUN", *flags, rest])

    def _run_flag(self, flag: str) -> str:
        key, _, value = flag.partition("=")
        if key == "--mount":
            return "--mount=" + self._mount(value)
        if key == "--network" and value in {"none", "default"}:
            if self._rules.modern or value == "none":
                return flag
            return ""
        raise self._refusal(
            f"RUN {flag} is not allowed in builds", "Remove the flag; builds have no privileges."
        )

    def _mount(self, text: str) -> str:
        fields = [part.partition("=") for part in text.split(",")]
        values = {key.lower(): value for key, _, value in fields}
        kind = values.get("type", "bind")
        if kind not in MOUNTS:
            raise self._refusal(
                f"RUN --mount=type={kind} is not supported",
                "Use type=cache, bind or tmpfs; builds get no secrets and no ssh agent.",
            )
        if "from" in values:
            changed = {"from": self._origin(values["from"])}
        elif kind == "bind":
            changed = {"source": _in_context(values.get("source", values.get("src", "/")))}
        else:
            return text
        replaced = changed.keys() | ({"src"} if "source" in changed else set())
        kept = [f"{k}{e}{v}" for k, e, v in fields if k.lower() not in replaced]
        return ",".join([*kept, *(f"{k}={v}" for k, v in changed.items())])

    def _origin(self, name: str) -> str:
        """Check what COPY --from or --mount=from names: a stage by name or number, or an image."""
        if (name and name.lower() in self._names) or (
            name.isdecimal() and int(name) <= self._stage
        ):
            return name
        if "$" in name:
            raise self._refusal(f"from={name} cannot be a variable", "Write the name itself.")
        return self._image(name)

    def _image(self, name: str) -> str:
        if name in self._rules.stacks:
            self._stacks[self._rules.stacks[name]] = None
            return self._rules.stacks[name]
        reference = external_image(name, self._rules.instance, self._rules.registries)
        self._images[str(reference)] = None
        return str(reference)

    def _refusal(self, reason: str, hint: str) -> BuildFailed:
        return BuildFailed(f"{self._where}: {reason}", hint=hint)


def _stage_name(instruction: Instruction) -> str:
    """Return the lower-case name of a stage, "" when it has none; BuildKit refuses bad ones."""
    name = instruction.words[2].lower() if len(instruction.words) > 2 else ""  # noqa: PLR2004 - FROM x AS y
    if name and (not _STAGE.fullmatch(name) or name in {"scratch", "context"}):
        raise BuildFailed(
            f"Dockerfile line {instruction.line}: {name} cannot be the name of a stage",
            hint="Use a letter, then letters, digits, _, . and -.",
        )
    return name


def _stages_with_run(instructions: tuple[Instruction, ...]) -> set[int]:
    stage, found = -1, set()
    for instruction in instructions:
        stage += instruction.name == "FROM"
        if instruction.name == "RUN":
            found.add(stage)
    return found


def _in_context(path: str) -> str:
    """Return a path of the context as one of the tar. `..` stops at the top, as in Docker."""
    return posixpath.join(CONTEXT, posixpath.normpath(f"/{path}").lstrip("/"))


def _words(words: list[str]) -> str:
    """Join words; in JSON when one would be several, a flag or a here-document in plain form."""
    plain = all(word and not re.search(r"\s|^\[|^--|<<", word) for word in words)
    return " ".join(words) if plain else json.dumps(words)
