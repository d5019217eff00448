"""A registry with token authentication on loopback, which engines treat as allowed without TLS.

It speaks as much of the OCI distribution specification, and of Docker's token authentication, as a
pull needs. Its images have one layer with one file, and no shell.
"""

import base64
import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD, TOKEN = "anna", "correct horse", "t0ken"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass
class Registry:
    """What the registry has, and what was asked of it."""

    address: str = ""  # host:port
    blobs: dict[str, bytes] = field(default_factory=dict)  # digest -> bytes
    tags: dict[str, str] = field(default_factory=dict)  # repository:tag -> digest of a manifest
    requests: list[str] = field(default_factory=list)

    def add_image(self, name: str, files: Mapping[str, str], **config: Any) -> str:
        """Store an image as `repository:tag`; return its name for FROM."""
        layer = _tar(files)
        parts = {"architecture": "amd64", "os": "linux", "config": config}
        rootfs = {"type": "layers", "diff_ids": [_digest(layer)]}
        config_blob = self._blob(json.dumps({**parts, "rootfs": rootfs}).encode(), CONFIG)
        layer_blob = self._blob(gzip.compress(layer, mtime=0), LAYER)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config_blob}
        blob = self._blob(json.dumps({**manifest, "layers": [layer_blob]}).encode(), MANIFEST)
        self.tags[name] = str(blob["digest"])
        return f"{self.address}/{name}"

    def _blob(self, data: bytes, kind: str) -> dict[str, object]:
        self.blobs[_digest(data)] = data
        return {"mediaType": kind, "size": len(data), "digest": _digest(data)}


@contextlib.contextmanager
def run_registry() -> Iterator[Registry]:
    """Serve a registry while the block runs."""
    registry = Registry()
    handler = type("Handler", (_Handler,), {"registry": registry})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        registry.address = f"127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield registry
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.registry.requests.append(self.path)
        path = urlsplit(self.path).path
        if path == "/token":
            self._give_token()
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._refuse("UNAUTHORIZED", 401)
        elif path == "/v2/":
            self._answer(200, b"{}")
        else:
            self._give(path)

    do_HEAD = do_GET  # noqa: N815 - named by http.server

    def _give_token(self) -> None:
        """Answer https://distribution.github.io/distribution/spec/auth/token/."""
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {login}":
            self._refuse("UNAUTHORIZED", 401)
            return
        assert parse_qs(urlsplit(self.path).query)["service"] == ["test"]
        self._answer(200, json.dumps({"token": TOKEN}).encode())

    def _give(self, path: str) -> None:
        repository, _, rest = path.removeprefix("/v2/").partition("/manifests/")
        digest = self.registry.tags.get(f"{repository}:{rest}", rest) if rest else path[-71:]
        data = self.registry.blobs.get(digest)
        if data is None:
            self._refuse("MANIFEST_UNKNOWN", 404)
        else:
            self._answer(200, data, MANIFEST if rest else "application/octet-stream")

    def _refuse(self, code: str, status: int) -> None:
        text = {"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}
        self._answer(status, json.dumps(text).encode())

    def _answer(self, status: int, data: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        realm = f'Bearer realm="http://{self.registry.address}/token",service="test"'
        self.send_header("WWW-Authenticate", realm)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Docker-Content-Digest", _digest(data))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base names it
        pass


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _tar(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()
