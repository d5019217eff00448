# Types of the generated control_pb2.py, as far as paas reads it; written by hand.

from collections.abc import Sequence

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

class Vertex(Message):
    digest: str
    name: str
    cached: bool
    error: str
    def __init__(
        self,
        *,
        digest: str = ...,
        name: str = ...,
        cached: bool = ...,
        error: str = ...,
        started: Timestamp | None = ...,
        completed: Timestamp | None = ...,
    ) -> None: ...
    @property
    def started(self) -> Timestamp: ...
    @property
    def completed(self) -> Timestamp: ...

class VertexLog(Message):
    vertex: str
    msg: bytes
    def __init__(self, *, vertex: str = ..., msg: bytes = ...) -> None: ...

class VertexWarning(Message):
    short: bytes
    def __init__(self, *, short: bytes = ...) -> None: ...

class StatusResponse(Message):
    def __init__(
        self,
        *,
        vertexes: Sequence[Vertex] = ...,
        logs: Sequence[VertexLog] = ...,
        warnings: Sequence[VertexWarning] = ...,
    ) -> None: ...
    @property
    def vertexes(self) -> Sequence[Vertex]: ...
    @property
    def logs(self) -> Sequence[VertexLog]: ...
    @property
    def warnings(self) -> Sequence[VertexWarning]: ...
