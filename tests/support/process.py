"""Running commands inside a namespace: with a deadline, a log file, and an error that shows what went wrong."""

import os
import re
import select
import signal
import subprocess
import time


class LabError(Exception):
    """Something in the lab did not go as it should; the message says what, and shows the last log lines."""


def tail(text, lines=25):
    kept = text.rstrip("\n").splitlines()[-lines:]
    return "\n".join("  | " + line for line in kept) or "  | (nothing)"


def run(command, timeout=30, check=True, **options):
    """Runs to the end; stdout and stderr are captured as text. `check`: a non-zero exit is a LabError."""
    command = [str(word) for word in command]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    if "input" not in options:
        options["stdin"] = subprocess.DEVNULL
    try:
        done = subprocess.run(command, timeout=timeout, **options)
    except subprocess.TimeoutExpired as expired:
        output = b"".join(part if isinstance(part, bytes) else part.encode()
                          for part in (expired.stdout, expired.stderr) if part)
        raise LabError(f"not done after {timeout} s: {' '.join(command)}\n{tail(output.decode(errors='replace'))}") from None
    if check and done.returncode != 0:
        output = "".join(part for part in (done.stdout, done.stderr) if isinstance(part, str))
        raise LabError(f"exit {done.returncode}: {' '.join(command)}\n{tail(output)}")
    return done


def wait_until(condition, timeout, what, interval=0.02):
    """Polls `condition` until it returns something true, and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise LabError(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(interval)


# How AddressSanitizer, LeakSanitizer, ThreadSanitizer and UndefinedBehaviorSanitizer begin what they have to say.
_SANITIZER = re.compile(r"(ERROR|WARNING): \w+Sanitizer|: runtime error: ")


class Process:
    """A child in its own session (a Ctrl-C at the terminal reaches only the runner), its output in `log`."""

    def __init__(self, command, log, title, **options):
        self.command = [str(word) for word in command]
        self.title = title
        self.log = log
        with open(log, "wb") as output:
            self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output,
                                          stderr=subprocess.STDOUT, start_new_session=True, **options)

    @property
    def pid(self):
        return self.child.pid

    def poll(self):
        return self.child.poll()

    def output(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def tail(self, lines=25):
        return f"last lines of {self.title}:\n{tail(self.output(), lines)}"

    def sanitizer_findings(self):
        """Whether a build with sanitizers found fault with itself; it may have gone on, or exited unseen."""
        return _SANITIZER.search(self.output()) is not None

    def wait_for(self, text, timeout=10):
        """Until the output contains `text`."""
        def seen():
            if text in self.output():
                return True
            if self.poll() is not None and text not in self.output():
                raise LabError(f"{self.title} exited with {self.poll()} before it said {text!r}\n{self.tail()}")
            return False
        wait_until(seen, timeout, lambda: f"{self.title} says {text!r}\n{self.tail()}")
        return self

    def _await_end(self, timeout):
        """As Popen.wait(timeout), which only looks every 50 ms."""
        if self.poll() is None:
            end = os.pidfd_open(self.pid)
            try:
                poll = select.poll()
                poll.register(end, select.POLLIN)
                poll.poll(timeout * 1000)
            finally:
                os.close(end)
        return self.child.wait(0)

    def wait(self, timeout=30, check=True):
        try:
            code = self._await_end(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.title} still runs after {timeout} s\n{self.tail()}") from None
        if check and code != 0:
            raise LabError(f"{self.title} exited with {code}\n{self.tail()}")
        return code

    def stop(self, signum=signal.SIGTERM, timeout=10):
        """Asks it to end, and insists after `timeout`; returns the exit status."""
        if self.poll() is None:
            self.child.send_signal(signum)
            try:
                self._await_end(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise LabError(f"{self.title} did not end within {timeout} s of signal {int(signum)}\n{self.tail()}") from None
        return self.poll()

    def kill(self):
        """For the way out: the whole process group, no questions asked."""
        if self.poll() is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.child.wait(5)
