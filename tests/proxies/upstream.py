"""An app for proxy tests: says its name, shows what reached it, streams, and keeps websockets open.

Run as a program: `upstream.py NAME PORT`. It serves until it is killed.
"""

import asyncio
import json
import sys

READ_LIMIT = 64 * 1024
died: list[str] = []  # methods of the requests that were taken and never answered


async def serve_connection(
    name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        while await answer(name, reader, writer):
            pass
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; return whether another may follow."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.rstrip().split("\r\n")
    headers = {key.lower(): value.strip() for key, _, value in (f.partition(":") for f in fields)}
    path = line.split()[1]
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    if headers.get("upgrade", "").lower() == "websocket":
        await echo_lines(name, reader, writer)
        return False
    if path == "/die":  # take the request, and hang up
        died.append(line.split()[0])
        return False
    if path == "/stream":
        await stream(reader, writer)
        return False
    if path == "/huge":
        await send_much(writer)
        return False
    if path.startswith("/hold"):
        await asyncio.sleep(float(path.partition("=")[2]))
    shown = {
        "name": name,
        "line": line,
        "headers": headers,
        "died": died,
        "peer": writer.get_extra_info("peername")[0],
        "body": body.decode("latin-1"),
    }
    status = "500 Broken" if path == "/broken" else "200 OK"
    text = json.dumps(shown).encode()
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
    await writer.drain()
    return headers.get("connection", "").lower() != "close"


async def echo_lines(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
    while line := await reader.readline():
        writer.write(name.encode() + b" " + line)


async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send one event, and the second only after the client has hung up or five seconds."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
    await writer.drain()
    await asyncio.wait_for(reader.read(1), 5)


async def send_much(writer: asyncio.StreamWriter) -> None:
    """Send 32 MB, and ask nginx to keep for the client what it does not read."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Accel-Buffering: yes\r\nConnection: close\r\n\r\n")
    for _ in range(32):
        writer.write(bytes(1024 * 1024))
        await writer.drain()


async def main(name: str, port: int) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: serve_connection(name, reader, writer),
        "0.0.0.0",
        port,
        limit=READ_LIMIT,
        backlog=1024,
    )
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
