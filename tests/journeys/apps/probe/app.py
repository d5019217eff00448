"""Looks out of its container on request, and tells what it found."""

import http.client
import json
import os
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


def connect(host: str, port: str) -> str:
    """Open a TCP connection; return "open", or why not."""
    try:
        with socket.create_connection((host, int(port)), timeout=5):
            return "open"
    except TimeoutError:
        return "no answer"
    except OSError as error:
        return os.strerror(error.errno or 0)


def fetch(address: str, port: str, host: str) -> str:
    """GET / of a virtual host at an address."""
    line = http.client.HTTPConnection(address, int(port), timeout=10)
    line.request("GET", "/name", headers={"Host": host})
    return line.getresponse().read().decode()


def gateway() -> str:
    """Return the address of the host on the app's network (/proc/net/route, little endian)."""
    routes = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    [found] = [route[2] for route in routes if route[1] == "00000000"]
    return socket.inet_ntoa(bytes.fromhex(found)[::-1])


def privileges() -> str:
    """Return this process's user, capabilities and rights, and what of the host it sees."""
    lines = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines()
    )
    found = {key: lines[key] for key in ("Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}
    found["docker.sock"] = str(Path("/var/run/docker.sock").exists())
    return json.dumps(found)


ANSWERS: dict[str, Callable[..., str]] = {
    "/": lambda: "ready",
    "/name": lambda: os.environ["PAAS_APP"],
    "/connect": connect,
    "/fetch": fetch,
    "/gateway": gateway,
    "/privileges": privileges,
}


class Probe(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        text = ANSWERS[url.path](**{key: each for key, [each] in parse_qs(url.query).items()})
        self.send_response(200)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Probe).serve_forever()
