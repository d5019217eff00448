"""The floor of a command over ssh: a bare paramiko server that answers each command with nothing.

ssh_answer.py PORT. Uses nothing of paas.
"""

import os
import socket
import sys
import threading

import paramiko
from paramiko import common


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

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        del command
        threading.Timer(0, finish, (channel,)).start()
        return True


def finish(channel: paramiko.Channel) -> None:
    channel.send_exit_status(0)
    channel.close()


def serve(client: socket.socket, key: paramiko.PKey) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(client)
    transport.add_server_key(key)
    transport.start_server(threading.Event(), Anyone())
    channels = []
    while transport.is_active():
        channels.append(transport.accept(1.0))  # kept: a channel nobody refers to is closed


if __name__ == "__main__":
    key = paramiko.RSAKey.generate(2048)
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        while True:
            client, _ = listener.accept()
            if os.fork() == 0:
                serve(client, key)
                os._exit(0)
            client.close()
