"""The apps that are measured. Each answers the version it was given, and nothing else."""

FLASK = """\
from flask import Flask

app = Flask(__name__)


@app.get("/")
def show_version():
    return "{version}"
"""

REQUIREMENTS = """\
Flask>=3.1,<4
gunicorn>=23
"""

STATIC_SERVER = """\
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"{version}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
"""
