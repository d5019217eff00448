"""The floor of a push over paramiko: a bare server that runs stock `git receive-pack`.

ssh_receive.py PORT. Uses nothing of paas.
"""

import os
import shlex
import socket
import subprocess
import sys
import threading

import paramiko
from paramiko import common

PIECE = 64 * 1024
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr")  # fastest first


class Anyone(paramiko.ServerInterface):
    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        del username, key
        return common.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:
        del username
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del kind, chanid
        return common.OPEN_SUCCEEDED

    def check_channel_env_request(
        self, channel: paramiko.Channel, name: bytes, value: bytes
    ) -> bool:
        del channel, name, value
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Timer(0, run, (channel, shlex.split(command.decode()))).start()
        return True


def run(channel: paramiko.Channel, words: list[str]) -> None:
    program = ["git", "receive-pack", words[-1]]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        threading.Thread(target=feed, args=(channel, process), daemon=True).start()
        assert process.stdout
        while data := process.stdout.read(PIECE):
            channel.sendall(data)
        channel.send_exit_status(process.wait())
    channel.close()


def feed(channel: paramiko.Channel, process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    while data := channel.recv(PIECE):
        view = memoryview(data)
        while view:
            view = view[process.stdin.write(view) :]
    process.stdin.close()


def serve(client: socket.socket, key: paramiko.PKey) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(client, default_window_size=4 * 1024 * 1024)
    transport.get_security_options().ciphers = CIPHERS
    transport.add_server_key(key)
    transport.start_server(threading.Event(), Anyone())
    channels = []
    while transport.is_active():
        if channel := transport.accept(1.0):
            channels.append(channel)  # kept: a channel nobody refers to is closed


if __name__ == "__main__":
    key = paramiko.RSAKey.generate(2048)
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        while True:
            client, _ = listener.accept()
            if os.fork() == 0:
                serve(client, key)
                os._exit(0)
            client.close()
