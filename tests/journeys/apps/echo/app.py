"""Everything that a proxy can spoil: echoes websockets, streams events, shows headers it got.

A websocket is closed in order (RFC 6455, 1001 "going away") when the process is told to stop.
"""

import base64
import hashlib
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VERSION = Path("version.txt").read_text().strip()
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
GOING_AWAY = (1001).to_bytes(2, "big")

asked_for_more = threading.Event()
websockets: set["Echo"] = set()


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.headers["Upgrade"] == "websocket":
            self.echo_frames()
        elif self.path == "/events":
            self.send_events()
        elif self.path == "/more":
            asked_for_more.set()
            self.answer("more comes")
        elif self.path.startswith("/slow/"):
            time.sleep(float(self.path.removeprefix("/slow/")))
            self.answer(VERSION)
        elif self.path == "/headers":
            self.answer(json.dumps(dict(self.headers)))
        else:
            self.answer(VERSION)

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def send_events(self) -> None:
        """Send the second event only when a client has asked for more, who saw the first."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: one\n\n")
        asked_for_more.wait(20)
        self.wfile.write(b"data: two\n\n" if asked_for_more.is_set() else b"data: nobody asked\n\n")
        self.close_connection = True

    def echo_frames(self) -> None:
        """Echo short text frames (RFC 6455, 5.2) with this process's version before them."""
        accept = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + GUID).encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        websockets.add(self)
        while len(head := self.rfile.read(2)) == 2:
            mask = self.rfile.read(4)
            masked = self.rfile.read(head[1] & 0x7F)
            data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))
            if head[0] & 0xF == CLOSE:
                break
            if head[0] & 0xF == PING:
                self.send_frame(PONG, data)
            else:
                self.send_frame(TEXT, f"{VERSION} {data.decode()}".encode())
        websockets.discard(self)
        self.close_connection = True

    def send_frame(self, kind: int, data: bytes) -> None:
        self.wfile.write(bytes((0x80 | kind, len(data))) + data)


def stop(*_: object) -> None:
    for each in websockets:
        each.send_frame(CLOSE, GOING_AWAY)
    sys.exit()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Echo).serve_forever()
