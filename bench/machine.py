"""The machine under the bench: its cores, its time stamp counter, its hugepages, and a thread's processor time."""

import contextlib
import os
import platform
import re
import signal
import sys
import tempfile
import time

from tests.support.process import LabError

HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB"


def read(path):
    with open(path) as file:
        return file.read()


def cpu_field(name):
    found = re.search(rf"^{re.escape(name)}\s*:\s*(.*)$", read("/proc/cpuinfo"), re.MULTILINE)
    return found.group(1).strip() if found else "unknown"


def tsc_hz():
    """Linux takes its loops per jiffy from the TSC's rate where it knows that, and shows it as BogoMIPS, two a loop."""
    if "constant_tsc" not in cpu_field("flags"):
        raise LabError("this processor's time stamp counter has no constant rate: no cycles to count")
    return float(cpu_field("bogomips")) / 2 * 1e6


def describe():
    return {"cpu": cpu_field("model name"), "family": f"{cpu_field('cpu family')}/{cpu_field('model')}", "cores": os.cpu_count(),
            "tsc_mhz": round(tsc_hz() / 1e6, 1), "virtual": "hypervisor" in cpu_field("flags"),
            "kernel": platform.release(), "distribution": platform.freedesktop_os_release()["PRETTY_NAME"]}


@contextlib.contextmanager
def hugepages():
    """Gives a function that sees to so many free megabytes of 2 MB pages, whoever else takes some; at the end their
    number is what it was."""
    before = int(read(f"{HUGEPAGES}/nr_hugepages"))

    def provide(megabytes):
        lacking = megabytes // 2 - int(read(f"{HUGEPAGES}/free_hugepages"))
        if lacking > 0:
            set_hugepages(int(read(f"{HUGEPAGES}/nr_hugepages")) + lacking)
        free = int(read(f"{HUGEPAGES}/free_hugepages")) * 2
        if free < megabytes:
            raise LabError(f"the kernel finds {free} MB of hugepages, the bench needs {megabytes} MB: memory is short or "
                           "in pieces")

    try:
        yield provide
    finally:
        if int(read(f"{HUGEPAGES}/nr_hugepages")) != before:
            set_hugepages(before)


class UnderWay:
    """A bench that measures: a folder of its own, and the function that hugepages() gives."""

    def __init__(self, directory, provide_hugepages):
        self.directory = directory
        self.provide_hugepages = provide_hugepages
        self.interrupted = False


@contextlib.contextmanager
def measuring(arguments):
    """Gives an UnderWay. Ctrl-C ends the block early and is told there; SIGTERM ends the program."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if arguments.core == arguments.control_core:
        sys.exit("bench: the forwarding thread needs a core of its own: two cores at least")
    with tempfile.TemporaryDirectory(prefix="cwbench-", ignore_cleanup_errors=True) as directory, hugepages() as provide:
        bench = UnderWay(directory, provide)
        try:
            yield bench
        except KeyboardInterrupt:
            bench.interrupted = True
            print("\ninterrupted: what was measured so far", flush=True)


def set_hugepages(count):
    with open(f"{HUGEPAGES}/nr_hugepages", "w") as file:
        file.write(str(count))


def thread_ns(pid, thread):
    """Processor time of a thread so far (Documentation/scheduler/sched-stats.rst)."""
    return int(read(f"/proc/{pid}/task/{thread}/schedstat").split()[0])


def waited_ns(pid, thread):
    """How long a thread that could have run was not let to (the same source)."""
    return int(read(f"/proc/{pid}/task/{thread}/schedstat").split()[1])


@contextlib.contextmanager
def pinned(core):
    """This process, for a while."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pinned_thread(pid, core, title):
    """The busiest of a process's threads that may run on this core only."""
    def busy():
        found = {}
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                allowed = re.search(r"^Cpus_allowed_list:\s*(.*)$", read(f"/proc/{pid}/task/{thread}/status"), re.MULTILINE)
                if allowed.group(1) == str(core):
                    found[int(thread)] = thread_ns(pid, thread)
        return found

    before = busy()
    time.sleep(0.1)
    grown = {thread: now - before.get(thread, 0) for thread, now in busy().items()}
    if not grown:
        raise LabError(f"{title} has no thread pinned to core {core}")
    return max(grown, key=grown.get)
