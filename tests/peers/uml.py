"""A real Linux kernel as a tunnel endpoint: user-mode-linux, a kernel that runs as a process.

For tunnels that the running kernel lacks: Debian's user-mode-linux brings geneve, vxlan, ip_gre and esp4 as modules.
It boots in two or three seconds on the running system's own root, mounted read-only through hostfs, so every
program of this machine is there. Commands go in and results come out as files in a shared directory.
"""

import os
import shlex
from subprocess import CompletedProcess

from tests.peers.cable import plain_cable
from tests.support.process import LabError, tail, wait_until

BOOT_S = 60
MODULES = "/usr/lib/uml/modules"

# modprobe -d wants a directory with lib/modules in it; the running system need not have that mount point.
INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir -p /run/root/lib/modules /run/channel
mount --bind {modules} /run/root/lib/modules
mount -t hostfs -o {channel} hostfs /run/channel 2> /dev/null ||  # Linux 6.10 and before
  mount -t hostfs -o hostfs={channel} hostfs /run/channel
cd /run/channel
ip link set lo up
echo booted > ready
n=0
while [ ! -e halt ]; do
  if [ -e $n.command ]; then
    ( sh $n.command > $n.output 2>&1 < /dev/null; echo $? > $n.status.part; mv $n.status.part $n.status ) &
    n=$((n + 1))
  else
    sleep 0.05
  fi
done
busybox poweroff -f > /dev/null 2>&1
"""


class UmlCommand:
    """A command under way inside the peer. output(), wait_for() and wait() as those of a Process."""

    def __init__(self, peer, number, text):
        self.peer = peer
        self.text = text
        self.log = os.path.join(peer.channel, f"{number}.output")
        self.status = os.path.join(peer.channel, f"{number}.status")

    def output(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as file:
            return file.read()

    def tail(self, lines=25):
        return f"last lines of {self.text!r} in {self.peer}:\n{tail(self.output(), lines)}"

    def _done(self):
        if os.path.exists(self.status):
            return True
        self.peer.check_alive()
        return False

    def wait_for(self, text, timeout=20):
        """Until the output contains `text`."""
        def seen():
            ended = self._done()
            if text in self.output():
                return True
            if ended:
                raise LabError(f"ended before it said {text!r}; {self.tail()}")
            return False
        wait_until(seen, timeout, lambda: f"{text!r} is said; {self.tail()}")
        return self

    def wait(self, timeout=30, check=True):
        wait_until(self._done, timeout, lambda: f"{self.tail()}\n{self.peer.process.tail()}")
        with open(self.status) as file:
            code = int(file.read())
        if check and code:
            raise LabError(f"exit {code}: {self.tail()}")
        return code


class UmlPeer:
    """Takes over `underlay` of `host`: its frames go to the kernel inside, which knows it as vec0.

    `tap`: through a TAP and a bridge instead of a packet socket, which would lose the VLAN tags that the kernel outside
    takes off.
    """

    def __init__(self, host, underlay, memory="256M", tap=False):
        self.host = host
        self.count = 0
        directory = host.lab.path(f"{host.name}-uml")
        self.channel = os.path.join(directory, "channel")
        os.makedirs(self.channel)
        init = os.path.join(directory, "init")
        with open(init, "w") as file:
            file.write(INIT.format(modules=shlex.quote(MODULES), channel=shlex.quote(self.channel)))
        os.chmod(init, 0o755)
        # The kernel inside gets whole frames; the one outside stays silent for want of an address.
        plain_cable(host, underlay)
        host.ip("link", "set", underlay, "promisc", "on", "up")
        transport = f"transport=raw,ifname={underlay}"
        if tap:
            transport = "transport=tap,ifname=uml0"
            host.ip("tuntap", "add", "uml0", "mode", "tap")
            host.ip("link", "add", "name", "uml-br", "type", "bridge", "mcast_snooping", "0")
            for interface in (underlay, "uml0"):
                host.ip("link", "set", interface, "master", "uml-br")
            for interface in ("uml0", "uml-br"):
                host.ip("link", "set", interface, "up")
        # The bridge takes frames for its ports' MACs for itself.
        mac = "02:00:00:00:75:6d" if tap else host.mac(underlay)
        # Its memory is a file, made and unlinked in TMPDIR and mapped executable; on a disk it would be slow.
        self.process = host.spawn(
            ["linux.uml", f"mem={memory}", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}",
             f"uml_dir={directory}/", "umid=peer", "con=null", "con0=null,fd:1", "quiet",
             f"vec0:{transport},depth=64,mac={mac}"],
            env=dict(os.environ, TMPDIR="/dev/shm"))
        ready = os.path.join(self.channel, "ready")
        wait_until(lambda: self.check_alive() and os.path.exists(ready), BOOT_S,
                   lambda: f"user-mode-linux boots\n{self.process.tail()}", interval=0.05)

    @property
    def name(self):
        return f"{self.host.name}-uml"

    def __repr__(self):
        return self.name

    def check_alive(self):
        if self.process.poll() is not None:
            panic = "".join(line for line in self.process.output().splitlines() if "Kernel panic" in line)
            raise LabError(f"{self} exited with {self.process.poll()} {panic}\n{self.process.tail()}")
        return True

    def spawn(self, command):
        """Starts `command` (list of words, or a shell line) inside and returns at once."""
        self.check_alive()
        command = command if isinstance(command, str) else shlex.join(str(word) for word in command)
        self.host.lab.say(f"{self.name}$ {command}")
        number, self.count = self.count, self.count + 1
        part = os.path.join(self.channel, f"{number}.part")
        with open(part, "w") as file:
            file.write(command + "\n")
        os.rename(part, os.path.join(self.channel, f"{number}.command"))
        return UmlCommand(self, number, command)

    def run(self, command, timeout=30, check=True):
        """Runs it to its end: a CompletedProcess, as from a Namespace (both outputs in stdout)."""
        under_way = self.spawn(command)
        code = under_way.wait(timeout, check)
        return CompletedProcess(under_way.text, code, under_way.output(), "")

    def add_geneve(self, address, remote, inner_address, vni=123, udp_port=6081):
        """vec0 gets `address`; gnv0, which sends to `remote` with DF set, gets `inner_address`.

        Without IPv6, whose solicitations would break the silence of an idle lab.
        """
        self.run("modprobe -d /run/root geneve && "
                 "sysctl -qew net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
        self.run(f"ip link set vec0 up && ip addr add {address} dev vec0 && "
                 f"ip link add gnv0 type geneve id {vni} remote {remote} dstport {udp_port} ttl 64 df set && "
                 f"ip link set gnv0 mtu 1450 up && ip addr add {inner_address} dev gnv0")

    def add_gretap(self, address, remote, inner_address, *options):
        """The same with gre0, a gretap; `options` are ip-link's: "key", "7", "csum", "seq", ..."""
        self.run("modprobe -d /run/root ip_gre && "
                 "sysctl -qew net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
        self.run(f"ip link set vec0 up && ip addr add {address} dev vec0 && "
                 f"ip link add tap0 type gretap local {address.split('/')[0]} remote {remote} ttl 64 {' '.join(options)} && "
                 f"ip link set tap0 mtu 1450 up && ip addr add {inner_address} dev tap0")

    def stop(self, timeout=15):
        with open(os.path.join(self.channel, "halt"), "w"):
            pass
        self.process.wait(timeout)
