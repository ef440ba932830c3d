"""What a unit has of systemd: a descriptor store that outlives its process (sd_notify(3), sd_listen_fds(3))."""

import array
import contextlib
import json
import os
import socket
import threading

from tests.support.traffic import PYTHON

# Starts a program as systemd does: with the descriptors that its unit has stored, from 3 on.
ADOPT = """
import json, os, socket, sys
holder = socket.socket(socket.AF_UNIX)
holder.connect(sys.argv[1])
names, descriptors, _, _ = socket.recv_fds(holder, 4096, 16)
holder.close()
names = json.loads(names)
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(descriptors)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
    os.close(fd)
os.environ["NOTIFY_SOCKET"] = sys.argv[2]
if names:
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=":".join(names))
os.execvp(sys.argv[3], sys.argv[3:])
"""


class Systemd:
    """Its descriptor store: FDSTORE=1 and FDSTOREREMOVE=1 of sd_notify(3), and who is started with what is in it."""

    def __init__(self, lab):
        self.notify, self.starts = lab.path("notify"), lab.path("starts")
        self.stored = {}
        self.words = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.words.bind(self.notify)
        self.clients = socket.socket(socket.AF_UNIX)
        self.clients.bind(self.starts)
        self.clients.listen()
        for work in (self._hear, self._start):
            threading.Thread(target=work, daemon=True).start()

    @property
    def by(self):
        return [PYTHON, "-c", ADOPT, self.starts, self.notify]

    def _hear(self):
        with contextlib.suppress(OSError):
            while True:
                message, extra, _, _ = self.words.recvmsg(4096, 4096)
                if not message:
                    return
                descriptors = array.array("i")
                for level, kind, data in extra:
                    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                        descriptors.frombytes(data)
                said = dict(line.split("=", 1) for line in message.decode().splitlines() if "=" in line)
                name = said.get("FDNAME")
                if said.get("FDSTOREREMOVE") == "1":
                    for fd in self.stored.pop(name, ()):
                        os.close(fd)
                elif said.get("FDSTORE") == "1":
                    for fd in self.stored.pop(name, ()):  # the same one, which systemd knows
                        os.close(fd)
                    self.stored[name] = list(descriptors)
                else:
                    for fd in descriptors:
                        os.close(fd)

    def _start(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.clients.accept()
                with client:
                    names = [name for name, fds in self.stored.items() for _ in fds]
                    socket.send_fds(client, [json.dumps(names).encode()], [fd for fds in self.stored.values() for fd in fds])

    def close(self):
        for end in (self.words, self.clients):
            end.shutdown(socket.SHUT_RDWR)
            end.close()
        for fds in self.stored.values():
            for fd in fds:
                os.close(fd)
