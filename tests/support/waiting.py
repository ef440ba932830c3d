"""How long others wait at a control socket while somebody asks for something large."""

import json
import socket
import threading
import time

QUESTION = b'{"verb":"nothing"}\n'  # answered at once, with an error


class Waiting:
    """Asks a small question again and again, until the `with` block ends: `longest_s`, `over` and `count`."""

    def __init__(self, path, over_s=0.005):
        self.path = path
        self.over_s = over_s
        self.longest_s = 0.0
        self.count = self.over = 0
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(self.path)
            while not self.ends.is_set():
                start = time.monotonic()
                client.sendall(QUESTION)
                client.recv(4096)
                waited = time.monotonic() - start
                self.longest_s = max(self.longest_s, waited)
                self.over += waited > self.over_s
                self.count += 1
                time.sleep(0.0005)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join(70)

    def __str__(self):
        return f"longest {self.longest_s * 1000:.1f} ms, {self.over} of {self.count} over {self.over_s * 1000:.0f} ms"


def ask(path, request, timeout=60):
    """The answer to a request (bytes, or what is to be JSON), as bytes; what came if the daemon hung up."""
    line = request if isinstance(request, bytes) else json.dumps(request).encode()
    answer = bytearray()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout)
        client.connect(path)
        try:
            client.sendall(line + b"\n")
        except BrokenPipeError:
            pass  # refused half-way
        while not answer.endswith(b"\n"):
            part = client.recv(1 << 20)
            if not part:
                break
            answer += part
    return bytes(answer)
