"""Podman on a host of the lab: its own storage, networks and containers, nothing of the machine's own Podman.

    podman = Podman(h1)
    podman("network", "create", "--internal", "--subnet", "10.5.0.0/24", "net1")
    podman.container("c1", network="net1", address="10.5.0.11", command=["httpd", "-f", "-h", "/www"])
    podman.join("net1", "pod0")      # h1 has the interface pod0 now: for a bridge of Causeway

A Linux host is a network namespace here, so each Podman gets a mount and a PID namespace beside it. What runs in there
ends with the namespace's first process, whoever ends that. Images come from registries; containers here get a tree of
Debian's static busybox as root file system.
"""

import json
import os
import shutil
import signal

from tests.support.overlay import gateway
from tests.support.process import LabError, Process, run, wait_until
from tests.support.traffic import sha256

BUSYBOX = "/bin/busybox"
APPLETS = ("sh", "cat", "httpd", "ip", "ping", "sleep", "wget")
# Fresh for each host: state, images, networks, locks. /etc/containers: whoever runs this may have settings of his own.
OWN_FOLDERS = ("/run", "/var/lib/containers", "/dev/shm", "/etc/containers")
# runc and cgroupfs: crun wants cgroups of one version, and systemd isn't everywhere.
PODMAN = ["podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--network-backend", "netavark",
          "--storage-driver", "vfs", "--events-backend", "none"]
# Podman's own limits are more than a machine may allow. NET_RAW: busybox pings by raw sockets.
ALLOWED = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--cap-add", "NET_RAW"]


class Podman:
    def __init__(self, host):
        self.host = host
        mounts = "; ".join(f"mkdir -p {folder} && mount -t tmpfs tmpfs {folder}" for folder in OWN_FOLDERS)
        # Not `ip netns exec`: it would hide /sys/fs/cgroup. The trap: a namespace's first process has no default for it.
        script = f"set -e; {mounts}; trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done"
        self.holder = Process(["nsenter", f"--net=/run/netns/{host.netns}", "unshare", "--mount", "--propagation",
                               "private", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script],
                              host.lab.path(f"{host.name}-podman.log"), f"podman-{host.name}")
        host.lab.processes.append(self.holder)
        self.holder.wait_for("ready")
        self.pid = int(self._first_process())

    def _first_process(self):
        """unshare's child: the one whose namespaces are meant."""
        children = f"/proc/{self.holder.pid}/task/{self.holder.pid}/children"

        def child():
            with open(children, encoding="ascii") as file:
                return file.read().split()
        return wait_until(child, 5, "unshare has a child")[0]

    def __call__(self, *arguments, timeout=30, check=True):
        words = [str(word) for word in arguments]
        self.host.lab.say(f"{self.host.name}$ podman {' '.join(words)}")
        return run(["nsenter", "--target", self.pid, "--mount", "--pid", "--net", *PODMAN, *words], timeout, check)

    def root(self, name):
        """The folder that is the container's root file system."""
        return self.host.lab.path(f"{self.host.name}-{name}-root")

    def container(self, name, network, address, command):
        root = self.root(name)
        for folder in ("bin", "dev", "etc", "proc", "run", "sys", "tmp", "www"):
            os.makedirs(os.path.join(root, folder))
        shutil.copy(BUSYBOX, os.path.join(root, "bin/busybox"))
        for applet in APPLETS:
            os.symlink("busybox", os.path.join(root, "bin", applet))
        self("run", "--detach", "--name", name, "--network", network, "--ip", address, *ALLOWED, "--rootfs", root,
             *command)

    def exec(self, container, *command, timeout=30, check=True):
        return self("exec", container, *command, timeout=timeout, check=check)

    def bridge(self, network):
        """The Linux bridge of a network; it is there as long as a container is."""
        return json.loads(self("network", "inspect", network).stdout)[0]["network_interface"]

    def join(self, network, interface):
        """A cable into the network's bridge; its other end is the host's interface of this name."""
        for words in (f"add {interface} type veth peer name {interface}-br",
                      f"set {interface}-br master {self.bridge(network)} up", f"set {interface} up"):
            self.host.run(["ip", "link", *words.split()])

    def close(self):
        """Removes the containers: what ends with the namespaces would leave its cgroups behind."""
        self("rm", "--force", "--all", "--time", 0, check=False)
        os.kill(self.pid, signal.SIGTERM)  # unshare itself listens to none
        self.holder.wait()


class JoinedNetworks:
    """Podman on h1 and on h2 with a network net1 each, the same subnet, and GENEVE between their bridges.

    Container c1 on h1 is a client, c2 on h2 a web server. `mtu`: the networks' option; None: Podman's default.
    """

    ADDRESS = {"c1": "10.5.0.11", "c2": "10.5.0.22"}

    def __init__(self, lab, mtu=None):
        self.lab = lab
        self.podmen, self.gateways = [], []
        h1, h2 = lab.host("h1"), lab.host("h2")
        lab.link(h1, "up0", h2, "up0")
        commands = {"c1": ["sleep", "1000"], "c2": ["httpd", "-f", "-h", "/www"]}
        for me, host in ((1, h1), (2, h2)):
            podman = Podman(host)
            self.podmen.append(podman)
            option = ["--opt", f"mtu={mtu}"] if mtu else []
            # The gateway is the bridge's own address: of two bridges in one network, each needs one.
            podman("network", "create", "--internal", "--disable-dns", "--subnet", "10.5.0.0/24",
                   "--gateway", f"10.5.0.{me}", *option, "net1")
            podman.container(f"c{me}", "net1", self.ADDRESS[f"c{me}"], commands[f"c{me}"])
            podman.join("net1", "pod0")
            self.gateways.append(host.causeway(gateway(me, "geneve", ports={"pod0": {}})))

    def ping(self, payload_bytes=56, count=3):
        """From c1 to c2; raises LabError if an answer is missing."""
        done = self.podmen[0].exec("c1", "ping", "-c", count, "-W", 2, "-s", payload_bytes, self.ADDRESS["c2"])
        if " 0% packet loss" not in done.stdout:
            raise LabError(f"ping lost packets:\n{done.stdout}")
        return done.stdout

    def fetch(self, size_bytes, timeout=30):
        """c1 downloads a file of random bytes from c2: the checksums of both."""
        sent = os.path.join(self.podmen[1].root("c2"), "www/file")
        with open(sent, "wb") as file:
            file.write(os.urandom(size_bytes))
        self.podmen[0].exec("c1", "wget", "-q", "-O", "/tmp/file", f"http://{self.ADDRESS['c2']}/file",
                            timeout=timeout)
        return sha256(sent), sha256(os.path.join(self.podmen[0].root("c1"), "tmp/file"))

    def close(self):
        for podman in self.podmen:
            podman.close()
