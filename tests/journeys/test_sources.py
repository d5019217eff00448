"""A team without git: an archive through ssh, and a volume that fills up."""

import io
import subprocess
import tarfile

import pytest

from tests.journeys.instance import Instance

pytestmark = pytest.mark.journey

SERVER = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with open("/data/lines", "ab") as file:
                file.write(b"x" * (30 << 20 if self.path == "/fill" else 1))
        except OSError as error:
            return self.say(507, str(error))
        self.say(200, f"{os.environ['GIT_REV'][:7]} {os.path.getsize('/data/lines')}")

    def say(self, status, text):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


HTTPServer(("", int(os.environ["PORT"])), Answer).serve_forever()
"""
DOCKERFILE = 'FROM paas/stack\nCOPY . /app\nCMD ["python3", "/app/server.py"]\n'


def archive(**files: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"shop-1.0/{name.replace('_', '.')}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return file.getvalue()


def send(paas: Instance, data: bytes, *argv: str) -> str:
    """Type a command over ssh, with bytes on its standard input."""
    done = subprocess.run(
        [*paas.ssh.command, *argv],
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    text = done.stdout.decode()
    assert done.returncode == 0, text
    return text


def test_an_archive_gets_a_volume_whose_size_holds(paas: Instance) -> None:
    paas.paas("apps:create", "shop")
    paas.paas("access:grant", "shop", "anna", "owner")
    paas.paas("storage:create", "uploads", "--size", "32m")
    try:
        paas.paas("storage:mount", "shop", "uploads", "--container-dir", "/data")
        data = archive(Dockerfile=DOCKERFILE, server_py=SERVER)
        assert "Deployed shop v1" in send(paas, data, "git:from-archive", "shop", "--")
        assert "No changes detected" in send(paas, data, "git:from-archive", "shop", "--")
        commit = paas.paas("git:report", "shop", "--git-sha").stdout.strip()
        assert paas.curl("shop").stdout.split()[0] == commit[:7]
        assert "No space left" in paas.curl("shop", "/fill").stdout
        paas.paas("ps:restart", "shop")
        assert 16 << 20 < (paas.root / "volumes/uploads/data/lines").stat().st_size < 32 << 20
        assert paas.status("shop") in {200, 507}
        assert paas.paas("storage:destroy", "uploads", "--force", check=False).returncode == 1
    finally:
        paas.paas("apps:destroy", "shop", "--force")
        paas.paas("storage:destroy", "uploads", "--force")
