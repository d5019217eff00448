"""A whole app: it listens on $PORT and answers. Change the words, commit, git push paas master."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = os.environ.get("WORDS", "Hello from your own Heroku!")


class Hello(BaseHTTPRequestHandler):
    """Answers every GET."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{WORDS}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Hello).serve_forever()
