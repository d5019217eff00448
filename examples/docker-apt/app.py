"""Large letters: GET /hello answers with figlet's banner of the path."""

import os
import re
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORD = re.compile(r"[A-Za-z0-9 .-]{1,40}")


class Banner(BaseHTTPRequestHandler):
    def do_GET(self):
        word = self.path.strip("/").replace("%20", " ") or "paas"
        if not WORD.fullmatch(word):
            return self.send_error(404)
        text = subprocess.run(["figlet", "--", word], capture_output=True, check=True).stdout
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


ThreadingHTTPServer(("", int(os.environ.get("PORT", "5000"))), Banner).serve_forever()
