"""What BuildKit says while it builds, decoded; steps and logs go to the reporter.

With `version=2` the engine answers JSON lines whose `moby.buildkit.trace` is a base64
`moby.buildkit.v1.StatusResponse` (control.proto). A vertex is sent whole at each change.
"""

import base64
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from paas.build.control_pb2 import StatusResponse, Vertex
from paas.build.dockerfile import CA_FILE, CA_PATH, CONTEXT
from paas.reporter import Reporter

LOG_BYTES = 5 * 1024 * 1024
TAIL = 20
TRACE, IMAGE_ID = "moby.buildkit.trace", "moby.image.id"
# Stages of our Dockerfiles whose outcome is a line of the push.
STAGES = {"deps": "Dependencies", "build": "Build"}
# The vertices that receive and unpack the context, by the names that moby and BuildKit give them.
CONTEXT_VERTICES = ("[internal] load remote build context", "copy /context /")
_NAME = re.compile(r"\[(?:(?P<stage>\S+) +)?\d+/\d+\] (?P<text>.*)", re.DOTALL)
_OURS = re.compile(rf"--mount=type=bind,source={re.escape(CA_FILE)},target={CA_PATH} ?")
_SOURCE = re.compile(rf"(?<=[\s\"=])(?:\./)?{CONTEXT}/(?P<rest>[^\s\",]*)")


@dataclass
class Step:
    """One vertex: an instruction, or something internal."""

    name: str = ""
    stage: str = ""
    cached: bool = False
    error: str = ""
    started: int = 0  # nanoseconds since the epoch; 0: not yet
    completed: int = 0
    announced: bool = False
    partial: bytes = b""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))

    @property
    def is_instruction(self) -> bool:
        """Whether a line of the Dockerfile stands behind it; FROM alone takes no time."""
        return self.name.startswith("[") and not re.match(
            r"\[internal\]|\[[^\]]*\] FROM ", self.name
        )


class Progress:
    """The state of one build, fed with the engine's messages in order."""

    def __init__(self, reporter: Reporter) -> None:
        self.image = ""  # id, once there is one
        self.error = ""
        self._reporter = reporter
        self._steps: dict[str, Step] = {}
        self._told: set[str] = set()
        self._room = LOG_BYTES

    def feed(self, message: Mapping[str, Any]) -> None:
        """Take one JSON message of the engine."""
        if "error" in message:
            self.error = str(message["error"])
        elif message.get("id") == IMAGE_ID:
            self.image = str(message["aux"]["ID"])
        elif message.get("id") == TRACE:
            self._trace(StatusResponse.FromString(base64.b64decode(message["aux"])))

    def finish(self) -> None:
        """Say what the stages came to. A stage that was never looked at came from the cache."""
        for step in self._steps.values():
            self._log(step, b"\n" if step.partial else b"")
        if self.error:
            return
        for stage in STAGES:
            self._summarise(stage, done=True)
        steps = [step for step in self._steps.values() if step.is_instruction]
        if steps and not self._told:
            cached = sum(step.cached or not step.started for step in steps)
            self._reporter.detail(f"{len(steps)} steps, {cached} cached")

    @property
    def failed(self) -> Step | None:
        """The step that ended the build, if one did."""
        failed = [s for s in self._steps.values() if s.error and "context canceled" not in s.error]
        return failed[0] if failed else None

    def spans(self) -> Iterator[tuple[str, int, int]]:
        """Yield (vertex name, start, end) of all that left records in the cache, in nanoseconds.

        That is what handled the context, and each step that was not found there.
        """
        for step in self._steps.values():
            is_ours = step.name in CONTEXT_VERTICES or (step.is_instruction and not step.cached)
            if is_ours and step.started:
                yield step.name, step.started, step.completed

    def _trace(self, status: StatusResponse) -> None:
        for vertex in status.vertexes:
            self._update(vertex)
        for log in status.logs:
            self._log(self._steps.setdefault(log.vertex, Step()), log.msg)
        for warning in status.warnings:
            self._write(f"warning: {warning.short.decode(errors='replace')}")
        for stage in STAGES:
            self._summarise(stage, done=False)

    def _update(self, vertex: Vertex) -> None:
        step = self._steps.setdefault(vertex.digest, Step())
        match = _NAME.match(vertex.name)
        step.name, step.stage = vertex.name, (match["stage"] or "") if match else ""
        step.cached = step.cached or vertex.cached
        step.error = vertex.error
        started, completed = _nanoseconds(vertex.started), _nanoseconds(vertex.completed)
        step.started = min(filter(None, (step.started, started)), default=0)
        step.completed = max(step.completed, completed)
        if step.started and not step.announced:
            step.announced = True
            self._write(readable(vertex.name) + (" (cached)" if vertex.cached else ""))

    def _log(self, step: Step, data: bytes) -> None:
        *lines, step.partial = (step.partial + data).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r").rpartition("\r")[2]
            step.tail.append(text)
            self._write(text)

    def _write(self, text: str) -> None:
        """Keep a line in the log, up to its cap."""
        if self._room > 0:
            self._room -= len(text)
            last = self._room <= 0
            self._reporter.tool("The rest of this build's log is left out" if last else text)

    def _summarise(self, stage: str, *, done: bool) -> None:
        """Say once how a stage went, as soon as all of its steps are completed."""
        steps = [s for s in self._steps.values() if s.stage == stage and s.is_instruction]
        if stage in self._told or not steps:
            return
        if not done and not all(step.completed for step in steps):
            return
        self._told.add(stage)
        ran = [step for step in steps if step.started and not step.cached]
        if ran:
            took = max(s.completed for s in ran) - min(s.started for s in ran)
            self._reporter.detail(f"{STAGES[stage]}: {took / 1e9:.1f} s")
        else:
            self._reporter.detail(f"{STAGES[stage]}: cached")


def readable(name: str) -> str:
    """Return a step's name as its Dockerfile has it: without the mount and the folder of ours."""
    return _SOURCE.sub(lambda match: match["rest"] or ".", _OURS.sub("", name))


def _nanoseconds(stamp: Timestamp) -> int:
    return int(stamp.ToNanoseconds())
