"""JSON over a UNIX socket, one question at a time: the control sockets of causewayd and of Open vSwitch. Straight to
the socket, because a program started to ask would blur the moment at which the counters were read."""

import json
import socket

from tests.support.process import LabError

ANSWER_S = 60


class JsonSocket:
    def __init__(self, path):
        self.received = ""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(ANSWER_S)
        self.socket.connect(path)

    @classmethod
    def listening(cls, path):
        """None while nobody listens there."""
        try:
            return cls(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    def ask(self, *questions):
        """Sends all of them at once, so that they are answered one right after the other; a list of the answers."""
        self.socket.sendall("".join(json.dumps(question) + "\n" for question in questions).encode())
        return [self._answer() for _ in questions]

    def _answer(self):
        decoder = json.JSONDecoder()
        while True:
            self.received = self.received.lstrip()
            # An object ends with a brace: no use parsing a half that doesn't.
            if self.received.endswith("}") or "}\n" in self.received:
                try:
                    answer, end = decoder.raw_decode(self.received)
                    self.received = self.received[end:]
                    return answer
                except json.JSONDecodeError:
                    pass
            data = self.socket.recv(1 << 20)
            if not data:
                raise LabError("the control socket was closed")
            self.received += data.decode()

    def close(self):
        self.socket.close()
