"""A small Flask app: it says who asks, and how paas runs it."""

import os
import platform
import socket

from flask import Flask, jsonify, render_template, request

app = Flask(__name__)
GREETING = "Hello from Flask"


@app.get("/")
def show_page():
    return render_template("page.html", greeting=GREETING, python=platform.python_version())


@app.get("/request")
def show_request():
    """What arrived through the proxy, and where it arrived."""
    return jsonify(
        host=request.host,
        address=request.headers.get("X-Forwarded-For", request.remote_addr),
        uid=os.getuid(),
        container=socket.gethostname(),
    )
