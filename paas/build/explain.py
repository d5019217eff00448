"""Why a build stopped, in plain words, with the last lines and the next thing to do."""

import re
from collections.abc import Sequence

from paas.build.progress import Progress, readable
from paas.errors import BuildFailed

_EXIT = re.compile(r"exit code: (\d+)")
_LINE = re.compile(r"dockerfile parse error (?:on )?line (\d+): (?P<reason>.*)", re.DOTALL)
_MISSING = re.compile(r"(?:\"/src/(?P<a>[^\"]+)\":? not found|lstat \S*?/src/(?P<b>\S+?): no such)")
# What a package manager says before it tries again: the end may have another cause.
_STUTTER = re.compile(r"Retry\(total=[1-9]|will retry|retrying\.\.\.", re.IGNORECASE)
TLS = (
    "A TLS certificate is not trusted. The host's owner should set ca_bundle to the file that"
    " has the company's certificate."
)
MEMORY = "The step ran out of memory. The host's owner can raise build_memory in the settings."
NETWORK = (
    "The network is the cause: a server that the step asked did not answer. Push again; if it"
    " stays, ask the host's owner for: paas doctor"
)
# The first pattern that the last lines (or the engine's message) match tells the likely cause.
CAUSES = {
    "no space left on device": "The host's disk is full. Its owner should run: paas doctor",
    "cannot allocate memory|JavaScript heap out of memory|MemoryError|out of memory": MEMORY,
    "certificate verify failed|self.signed certificate|unable to get local issuer": TLS,
    "certificate signed by unknown authority": TLS,
    "temporary failure resolving|could not resolve|name or service not known": NETWORK,
    "ENOTFOUND|EAI_AGAIN|ECONNRE|TIMEDOUT|SOCKET_TIMEOUT|IDLETIMEOUT|ReadTimeout": NETWORK,
    "network is unreachable|timed out|i/o timeout|connection (?:refused|reset|failed)": NETWORK,
    "(?:could not|unable to|failed to) connect|attempts to connect to .* failed": NETWORK,
    "error sending request for url|(?:bad gateway|service unavailable|gateway time-?out)": NETWORK,
    r"unable to locate package|404 +not found \[IP": (
        "Put apt-get update into the same RUN, before apt-get install, and check the name."
    ),
    "no matching distribution found|no solution found|E404|ETARGET|no matching version": (
        "A dependency, or this version of it, does not exist: check its name and version."
    ),
    "EUSAGE|npm ci. can only|lockfile|lock file": "Update the lock file and commit it.",
}
BY_EXIT = {
    126: "The command cannot be executed: git update-index --chmod=+x FILE, commit, push again.",
    127: "The command is not in the image: install it in an earlier step, or check its name.",
    137: MEMORY,
}


def explain(progress: Progress, dockerfile: str) -> BuildFailed:
    """Return the error for what the engine said; `dockerfile` is the text that it was given."""
    step, message = progress.failed, progress.error
    if match := _LINE.search(message):
        lines = dockerfile.splitlines()
        number = int(match[1])
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        return BuildFailed(
            f"The engine cannot read the Dockerfile: {match['reason'].strip()}",
            details=(readable(line),),
            hint="Correct that instruction; an older engine may not know it (paas doctor).",
        )
    if match := _MISSING.search(message):
        return BuildFailed(
            f"The Dockerfile copies {match['a'] or match['b']}, which is not in the source",
            details=(readable(step.name),) if step else (),
            hint="Is it committed, and not left out by .dockerignore?  git ls-files",
        )
    tail = tuple(step.tail) if step else ()
    status = _EXIT.search(message)
    if step and status:
        what = f"A build step exited with code {status[1]}: {_command(step.name)}"
    else:
        what = f"The build stopped: {' '.join(message.split())[:500]}"
    return BuildFailed(what, details=tail, hint=_cause(tail, message, status))


def _command(name: str) -> str:
    text = readable(name).partition("] ")[2] or readable(name)
    return " ".join(text.split())[:200]


def _cause(tail: Sequence[str], message: str, status: re.Match[str] | None) -> str:
    text = "\n".join(line for line in [*tail, message] if not _STUTTER.search(line))
    for pattern, hint in CAUSES.items():
        if re.search(pattern, text, re.IGNORECASE):
            return hint
    code = int(status[1]) if status else 0
    return BY_EXIT.get(code, "Run the step on your machine, correct it, commit and push again.")
