"""A network made of namespaces: hosts, the links between them, containers behind them.

    with Lab() as lab:
        h1, h2 = lab.host("h1"), lab.host("h2")
        lab.link(h1, "up0", h2, "up0")
        c1 = h1.container("c1", address="10.1.0.1/24", mtu=1450)    # h1 has its other end as interface c1
        c2 = h2.container("c2", address="10.1.0.2/24", mtu=1450)
        gateway = h1.causeway(yaml_text)
        c1.run(["ping", "-c", "1", "10.1.0.2"])

Each run names its namespaces after its process id, so that runs don't meet and a run that was killed can be
recognised and swept away by the next one. Nothing here touches an interface outside namespaces made here.
"""

import atexit
import functools
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from tests.support.capture import Capture
from tests.support.causeway import Causeway
from tests.support.process import LabError, Process, run, wait_until

_RUN_PREFIX = re.compile(r"^cwlab-(\d+)-\d+-")
_numbers = itertools.count(1)
_open_labs = []


def namespaces():
    """Names of all network namespaces of this machine."""
    return [line.split()[0] for line in run(["ip", "netns", "list"]).stdout.splitlines() if line.strip()]


def remove_namespace(netns, patience_s=2.0):
    """Ends what still runs in it and removes it. Only for namespaces that a lab made."""
    def pids():
        return [int(pid) for pid in run(["ip", "netns", "pids", netns], check=False).stdout.split()]

    for signum in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids():
            try:
                os.kill(pid, signum)
            except ProcessLookupError:
                pass
        try:
            wait_until(lambda: not pids(), patience_s, f"{netns} is empty")
            break
        except LabError:
            continue
    run(["ip", "netns", "del", netns], check=False)


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def sweep():
    """Removes what runs that no longer exist left behind."""
    for netns in namespaces():
        match = _RUN_PREFIX.match(netns)
        if match and not _alive(int(match.group(1))):
            remove_namespace(netns)
    for name in os.listdir(tempfile.gettempdir()):
        match = _RUN_PREFIX.match(name + "-")
        if match and not _alive(int(match.group(1))):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)


def _close_all():
    for lab in list(_open_labs):
        lab.close()


def _end(signum, _frame):
    sys.exit(128 + signum)  # unwinds the `with` blocks; atexit closes the rest


@functools.cache
def _install_cleanup():
    atexit.register(_close_all)
    if threading.current_thread() is threading.main_thread():
        for signum in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(signum) == signal.SIG_DFL:
                signal.signal(signum, _end)


class Namespace:
    """A network namespace of the lab, with its loopback up."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.netns = lab.prefix + name
        run(["ip", "netns", "add", self.netns])
        self.ip("link", "set", "lo", "up")

    def __repr__(self):
        return self.name

    def ip(self, *arguments, check=True):
        return run(["ip", "-n", self.netns, *arguments], check=check)

    def sysctl(self, key, value):
        self.run(["sysctl", "-qw", f"{key}={value}"], quiet=True)

    def run(self, command, timeout=30, check=True, quiet=False, **options):
        """Runs `command` (list of words, or a shell line) in here; the CompletedProcess with text output."""
        command = ["sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]
        if not quiet:
            self.lab.say(f"{self.name}$ {' '.join(command)}")
        return run(["ip", "netns", "exec", self.netns, *command], timeout=timeout, check=check, **options)

    def spawn(self, command, title=None, **options):
        """Starts `command` in here and returns at once: a Process, ended with the lab if not before."""
        command = ["sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]
        title = title or f"{os.path.basename(command[0])}-{self.name}"
        self.lab.say(f"{self.name}$ {' '.join(command)} &")
        log = self.lab.path(f"{next(self.lab.log_numbers):02}-{title}.log")
        process = Process(["ip", "netns", "exec", self.netns, *command], log, title, **options)
        self.lab.processes.append(process)
        return process

    def interfaces(self):
        """Names of the interfaces in here, loopback aside."""
        lines = self.ip("-o", "link", "show").stdout.splitlines()
        return sorted(line.split(":")[1].strip().split("@")[0] for line in lines if ": lo:" not in line)

    def mac(self, interface):
        return self.run(["cat", f"/sys/class/net/{interface}/address"], quiet=True).stdout.strip()

    def address(self, interface, *addresses):
        """Gives an interface of this namespace addresses of the kernel's own (IPv6 gets switched on for it)."""
        for address in addresses:
            if ":" in address:
                self.sysctl(f"net.ipv6.conf.{interface}.disable_ipv6", 0)
                self.ip("addr", "add", address, "dev", interface, "nodad")
            else:
                self.ip("addr", "add", address, "dev", interface)

    def capture(self, interface, **options):
        return self.lab.capture(self, interface, **options)


class Container(Namespace):
    """What is behind a bridge port: one interface, eth0, as the kernel sets it up (offloads and IPv6 on)."""

    def __init__(self, lab, name, addresses):
        super().__init__(lab, name)
        self.addresses = addresses

    @property
    def ip4(self):
        """First IPv4 address, without the prefix length."""
        return next(address.split("/")[0] for address in self.addresses if ":" not in address)

    @property
    def ip6(self):
        return next(address.split("/")[0] for address in self.addresses if ":" in address)

    def configure(self, mtu, mac=None):
        if mac:
            self.ip("link", "set", "eth0", "address", mac)
        self.ip("link", "set", "eth0", "mtu", mtu, "up")
        self.address("eth0", *self.addresses)


class Host(Namespace):
    """Where a causewayd, a kernel tunnel or another switch runs. The kernel stays silent on its interfaces."""

    def __init__(self, lab, name):
        super().__init__(lab, name)
        for scope in ("all", "default"):
            self.sysctl(f"net.ipv6.conf.{scope}.disable_ipv6", 1)
        self.sysctl("net.ipv4.ip_forward", 0)

    def container(self, name, address=(), mtu=1500, mac=None, tap=None, port=None):
        """A container on a veth pair whose other end is this host's interface `port` (default: its name).

        `tap`: instead of a veth pair, the TAP of this name, which a causewayd on this host has made, moves in.
        """
        addresses = [address] if isinstance(address, str) else list(address)
        container = Container(self.lab, name, addresses)
        if tap:
            self.ip("link", "set", tap, "netns", container.netns, "name", "eth0")
        else:
            port = port or name
            self.ip("link", "add", "name", port, "mtu", mtu, "type", "veth",
                    "peer", "name", "eth0", "netns", container.netns)
            self.ip("link", "set", port, "up")
        container.configure(mtu, mac)
        return container

    def causeway(self, config, **options):
        """Starts causewayd with this configuration (YAML text or a dict) and waits until it answers."""
        return Causeway(self, config, **options)


class Lab:
    """Everything made through it is gone after close(); use it as a context manager.

    `prefix`: only for a lab that outlives its process (see detach()); `echo`: print each command as it runs.
    """

    def __init__(self, prefix=None, echo=True):
        sweep()
        _install_cleanup()
        self.prefix = prefix or f"cwlab-{os.getpid()}-{next(_numbers)}-"
        self.directory = os.path.join(tempfile.gettempdir(), self.prefix.rstrip("-"))
        self.echo = echo
        self.hosts = {}
        self.processes = []
        self.log_numbers = itertools.count(1)
        os.makedirs(self.directory)
        _open_labs.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def path(self, name):
        """A file of this lab; the folder goes with it."""
        return os.path.join(self.directory, name)

    def say(self, line):
        if self.echo:
            print(line, flush=True)

    def host(self, name):
        self.hosts[name] = Host(self, name)
        return self.hosts[name]

    def link(self, a, interface_a, b, interface_b, mtu=1500):
        """A cable between two hosts (or a host and any other namespace of the lab)."""
        a.ip("link", "add", "name", interface_a, "mtu", mtu, "type", "veth",
             "peer", "name", interface_b, "mtu", mtu, "netns", b.netns)
        a.ip("link", "set", interface_a, "up")
        b.ip("link", "set", interface_b, "up")

    def switch(self, name, ports, mtu=1500, igmp_version=None, mld_version=None):
        """A network of more than two hosts: `ports` is a list of (host, interface), joined by a kernel bridge.

        `igmp_version`: it snoops on IGMP, asks for members in that version itself, and forwards groups to them only.
        `mld_version`: the same for IPv6's groups.
        """
        snoops = igmp_version is not None or mld_version is not None
        switch = Host(self, name)
        # Times in 10 ms.
        snooping = ["0"] if not snoops else [
            "1", "mcast_igmp_version", igmp_version or 3, "mcast_mld_version", mld_version or 2, "mcast_query_response_interval", 100,
            "mcast_startup_query_interval", 100, "mcast_last_member_interval", 20, "mcast_query_interval", 500]
        switch.ip("link", "add", "name", "br0", "mtu", mtu, "type", "bridge", "mcast_snooping", *snooping)
        if mld_version is not None:
            switch.sysctl("net.ipv6.conf.br0.disable_ipv6", 0)  # queries come from a link-local address
            switch.sysctl("net.ipv6.conf.br0.accept_dad", 0)
        switch.ip("link", "set", "br0", "up")
        if snoops:  # apart: it counts as a querier after a response interval as of now
            switch.ip("link", "set", "br0", "type", "bridge", "mcast_querier", 1)
        for host, interface in ports:
            self.link(host, interface, switch, host.name, mtu)
            switch.ip("link", "set", host.name, "master", "br0")
        return switch

    def capture(self, namespace, interface, **options):
        """Starts a capture; options as of Capture: filter (BPF), snap_bytes, max_frames."""
        file = self.path(f"{namespace.name}-{interface}-{next(self.log_numbers)}.pcap")
        return Capture(namespace, interface, file, **options)

    def logs(self, lines=25):
        """The last lines of each process of the lab that said something: for reports of failures."""
        return [(process.title, process.output().splitlines()[-lines:]) for process in self.processes
                if os.path.exists(process.log) and process.output().strip()]

    def detach(self):
        """Leaves everything running when this process ends; take_down() with the same prefix removes it."""
        _open_labs.remove(self)

    def close(self):
        if self not in _open_labs:
            return
        before = _ignore_interrupts()
        try:
            _open_labs.remove(self)
            for process in reversed(self.processes):
                if process.poll() is None:
                    process.child.terminate()
            patience_ends = time.monotonic() + 3
            for process in reversed(self.processes):
                try:
                    process.child.wait(max(0.05, patience_ends - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
            findings = [process.tail(60) for process in self.processes if process.sanitizer_findings()]
            take_down(self.prefix)
        finally:
            _restore_signals(before)
        if findings:
            raise LabError("\n".join(findings))


def take_down(prefix):
    """Removes every namespace whose name starts with `prefix`, what runs in it, and the lab's files."""
    taken = [netns for netns in namespaces() if netns.startswith(prefix)]
    for netns in taken:
        remove_namespace(netns)
    shutil.rmtree(os.path.join(tempfile.gettempdir(), prefix.rstrip("-")), ignore_errors=True)
    return taken


def _ignore_interrupts():
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {signum: signal.signal(signum, signal.SIG_IGN) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}


def _restore_signals(before):
    for signum, handler in before.items():
        signal.signal(signum, handler)
