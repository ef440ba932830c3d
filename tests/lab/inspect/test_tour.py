"""conf/tour.md, typed by a test: each command must print what stands below it. Numbers and the width of columns may
be others."""

import os
import re
import subprocess

import pytest

from tests.support.causeway import TOP

TOUR = os.path.join(TOP, "conf/tour.md")
# A machine of its own, as far as it goes: network, /run (sockets, named namespaces), processes.
SANDBOX = ["timeout", "-k", "1", "120", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c",
           "mount -t tmpfs tmpfs /run && mount -t proc proc /proc && mount -t sysfs sysfs /sys && "
           "mkdir /run/netns && ip link set lo up && exec bash"]
END = "---end---"


def steps():
    """(file, its text) and (command, what it prints), in the order of the text."""
    for kind, block in re.findall(r"^```(console|yaml)\n(.*?)^```$", open(TOUR, encoding="utf-8").read(), re.S | re.M):
        if kind == "yaml":
            yield "file", re.match(r"# (\S+)\n", block).group(1), block
            continue
        for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.M):
            yield "command", command, output


def shape(output):
    """Lines without what differs from run to run."""
    return [re.sub(r"\d+(\.\d+)?", "0", " ".join(line.split())) for line in output.splitlines() if line.strip()]


class Shell:
    def __init__(self, folder):
        path = os.environ.get("CAUSEWAY_BUILD", os.path.join(TOP, "build")) + "/control:" + os.environ["PATH"]
        self.process = subprocess.Popen(SANDBOX, cwd=folder, env={**os.environ, "PATH": path}, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def type(self, command):
        self.process.stdin.write(f"{command}\necho; echo {END}\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.strip() == END:
                return "".join(lines)[:-1]
            lines.append(line)
        raise AssertionError(f"the shell ended: {command}: {''.join(lines)}")


@pytest.fixture(name="shell")
def shell_fixture(tmp_path):
    shell = Shell(tmp_path)
    yield shell
    shell.process.terminate()
    shell.process.wait()


@pytest.mark.alone  # it types at the pace of a person
def test_each_command_prints_what_the_tour_says(shell, tmp_path):
    for kind, name, text in steps():
        if kind == "file":
            (tmp_path / name).write_text(text)
            continue
        printed = shell.type(name)
        assert shape(printed) == shape(text), f"$ {name}\n{printed}"
