"""A program in a terminal of its own, and what stands on its screen."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time

import pyte

from tests.support.process import wait_until

ENTER_ALTERNATE, LEAVE_ALTERNATE = b"\x1b[?1049h", b"\x1b[?1049l"  # xterm's smcup and rmcup (ctlseqs, DECSET 1049)
KEYS = {"up": "\x1bOA", "down": "\x1bOB", "page down": "\x1b[6~", "page up": "\x1b[5~", "home": "\x1bOH", "end": "\x1bOF",
        "enter": "\r", "escape": "\x1b", "tab": "\t"}


class Screen(pyte.Screen):
    """With what xterm can do and pyte can't (ctlseqs: REP, SU, SD)."""

    def draw(self, data):
        super().draw(data)
        self.drawn_last = data[-1:]

    def repeat(self, count=1):
        super().draw(self.drawn_last * count)

    def scroll_up(self, count=1, change=pyte.Screen.delete_lines):
        cursor, top = self.cursor, self.margins.top if self.margins else 0
        x, y = cursor.x, cursor.y
        cursor.y = top
        change(self, count)
        cursor.x, cursor.y = x, y

    def scroll_down(self, count=1):
        self.scroll_up(count, pyte.Screen.insert_lines)


class Stream(pyte.ByteStream):
    csi = {**pyte.ByteStream.csi, "b": "repeat", "S": "scroll_up", "T": "scroll_down"}
    events = pyte.ByteStream.events | {"repeat", "scroll_up", "scroll_down"}


class Terminal:
    """`columns` x `rows`."""

    def __init__(self, command, rows=24, columns=80, environment=None):
        self.ours, self.theirs = pty.openpty()
        self.resize(rows, columns, tell=False)
        self.before = termios.tcgetattr(self.theirs)
        self.output = b""
        self.screen = Screen(columns, rows)
        self.stream = Stream(self.screen)
        self.lock = threading.Lock()
        environment = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
        self.child = subprocess.Popen(list(map(str, command)), stdin=self.theirs, stdout=self.theirs, stderr=self.theirs, env=environment,
                                      start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                data = os.read(self.ours, 65536)
            except OSError:  # closed
                return
            with self.lock:
                self.output += data
                self.stream.feed(data)

    def resize(self, rows, columns, tell=True):
        if tell:
            with self.lock:
                self.screen.resize(rows, columns)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, *keys):
        """Keys by their names, or characters."""
        for key in keys:
            assert key in KEYS or len(key) == 1, key
            os.write(self.ours, KEYS.get(key, key).encode())

    def lines(self):
        with self.lock:
            return [line.rstrip() for line in self.screen.display]

    def text(self):
        return "\n".join(self.lines())

    def line(self, pattern):
        """The first line that has it; None: there is none."""
        return next((line for line in self.lines() if re.search(pattern, line)), None)

    def colours(self, pattern):
        """Of the characters of what matches first."""
        with self.lock:
            for y, line in enumerate(self.screen.display):
                if match := re.search(pattern, line.rstrip()):
                    return {self.screen.buffer[y][x].fg for x in range(*match.span()) if line[x] != " "}
        return set()

    def wait_for(self, pattern, timeout=30):
        return wait_until(lambda: self.line(pattern), timeout, lambda: f"{pattern!r} stands on\n{self.text()}")

    def wait_gone(self, pattern, timeout=30):
        wait_until(lambda: not self.line(pattern), timeout, lambda: f"{pattern!r} is gone from\n{self.text()}")

    def wait_end(self, timeout=30):
        """The exit code, once it has ended and all it wrote is here."""
        code = self.child.wait(timeout)
        size = -1
        while size != len(self.output):
            size = len(self.output)
            time.sleep(0.05)
        return code

    def is_clean(self):
        """As before: the settings of the terminal, no alternate screen, the cursor to be seen."""
        left = self.output.rfind(LEAVE_ALTERNATE) >= self.output.rfind(ENTER_ALTERNATE)
        return termios.tcgetattr(self.theirs) == self.before and left and not self.screen.cursor.hidden

    def close(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGKILL)
            self.child.wait()
        os.close(self.theirs)
        self.reader.join(5)
        os.close(self.ours)
