"""A machine like this one whose first process is systemd: this one's tree with whatever is changed in it kept apart.

    machine = Machine(h1)                  # in the network namespace of a lab's host
    machine.run("dpkg -i /causeway.deb")   # in the tree, before it is booted
    machine.boot()
    machine.run("systemctl is-active causeway")
    machine.shut_down()                    # boot() again is its next start

The tree is an overlay over /, so nothing has to be fetched, and what is written is gone with the lab. Of this machine's
own services none starts. cgroups are of version 2, whatever this machine uses.
"""

import os
import signal

from tests.support.process import LabError, Process, run, wait_until

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT = "/lib/systemd/systemd"
SHUT_DOWN = signal.SIGRTMIN + 4  # systemd(1)

KERNEL_UNITS = "sysctl modules-load remount-fs"

# Mounts that last as long as the machine has a tree, and at the end its cgroups, which outlive mounts. On a tmpfs: where
# / is an overlay, it can't be written to by another one.
TREE = """set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1"/changes "$1"/work "$1"/root "$1"/cgroup
mount -t overlay -o lowerdir="$2",upperdir="$1"/changes,workdir="$1"/work overlay "$1"/root
mount -t cgroup2 cgroup2 "$1"/cgroup
mount --rbind /dev "$1"/root/dev
mount -t proc proc "$1"/root/proc
echo ready
end() {
  kill $!
  [ -d "$3" ] || return 0
  echo 1 > "$3"/cgroup.kill
  for _ in $(seq 20); do
    find "$3" -depth -type d -exec rmdir {} + 2>/dev/null && return 0
    sleep 0.1
  done
}
trap 'end "$@"; exit 0' TERM
while :; do sleep 1000 & wait; done
"""

# In namespaces of its own, as the first process there.
BOOT = """set -e
mount -t proc proc "$1"/proc
mount -t sysfs -o ro sysfs "$1"/sys
mount -t cgroup2 cgroup2 "$1"/sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs "$1"/run
umount -R "$1"/dev
mount -t tmpfs -o mode=755 tmpfs "$1"/dev
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 net/tun:10:200; do
  IFS=: read -r name major minor <<END
$node
END
  mkdir -p "$(dirname "$1/dev/$name")"
  mknod -m 666 "$1/dev/$name" c "$major" "$minor"
done
mkdir "$1"/dev/shm "$1"/dev/pts
mount -t tmpfs tmpfs "$1"/dev/shm
cd "$1"
mount --move . /
exec chroot . env -i container=lab PATH="$2" "$3" --unit multi-user.target
"""


class Machine:
    def __init__(self, host, tree="/"):
        """`tree`: a folder with a Debian in it that is left as it is."""
        self.host = host
        self.folder = host.lab.path(f"{host.name}-machine")
        self.root = os.path.join(self.folder, "root")
        self.cgroup = os.path.join(self.folder, "cgroup", host.netns)
        self.init = None
        os.mkdir(self.folder)
        self.holder = Process(["unshare", "--mount", "--propagation", "private", "sh", "-c", TREE, "tree", self.folder, tree,
                               self.cgroup], host.lab.path(f"{host.name}-tree.log"), f"tree-{host.name}")
        host.lab.processes.append(self.holder)
        self.holder.wait_for("ready")
        # What this machine starts is its own matter, and so are the kernel's settings, which both have in common.
        self.run("rm -rf /etc/systemd/system/*.wants/* /etc/fstab /usr/sbin/policy-rc.d /var/log/journal; mkdir /var/log/journal")
        self.run(f"for unit in {KERNEL_UNITS}; do ln -s /dev/null /etc/systemd/system/systemd-$unit.service; done")

    def _inside(self, command):
        command = ["sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]
        if self.init is None:
            return ["nsenter", "--target", self.holder.pid, "--mount", "chroot", self.root, "env", "-i", f"PATH={PATH}", *command]
        return ["nsenter", "--target", self._first_process(), "--all", "env", "-i", f"PATH={PATH}", *command]

    def run(self, command, timeout=30, check=True):
        """In the tree as root, or on the machine once it is booted."""
        self.host.lab.say(f"{self.host.name}# {command if isinstance(command, str) else ' '.join(map(str, command))}")
        return run(self._inside(command), timeout, check)

    def write(self, path, text):
        run(["nsenter", "--target", self.holder.pid, "--mount", "tee", self.root + path], input=text)

    def copy(self, file, path):
        run(["nsenter", "--target", self.holder.pid, "--mount", "cp", file, self.root + path])

    def written(self):
        """The files in the tree that were made or changed, and are still there."""
        changes = os.path.join(self.folder, "changes")
        found = run(["nsenter", "--target", self.holder.pid, "--mount", "find", changes, "-type", "f", "-o", "-type", "l"]).stdout
        return {line.removeprefix(changes) for line in found.splitlines()}

    def boot(self, timeout=90):
        """Until nothing is left to be started."""
        script = 'mkdir -p "$1"; echo $$ > "$1"/cgroup.procs; shift; exec unshare --pid --fork --kill-child --uts --ipc --cgroup ' \
                 '--mount --propagation private sh -c "$@"'
        self.init = Process(["nsenter", "--target", self.holder.pid, "--mount", f"--net=/run/netns/{self.host.netns}", "sh", "-c",
                             script, "boot", self.cgroup, BOOT, "init", self.root, PATH, INIT],
                            self.host.lab.path(f"{self.host.name}-init.log"), f"systemd-{self.host.name}")
        self.host.lab.processes.append(self.init)
        states = ("running", "degraded")
        wait_until(lambda: self.init.poll() is not None or
                   self.run("systemctl is-system-running", check=False).stdout.strip() in states,
                   timeout, lambda: f"{self.host.name} is up\n{self.init.tail()}", interval=0.2)
        if self.init.poll() is not None:
            raise LabError(f"{self.host.name} did not boot\n{self.init.tail()}")

    def _first_process(self):
        children = f"/proc/{self.init.pid}/task/{self.init.pid}/children"

        def child():
            with open(children, encoding="ascii") as file:
                return file.read().split()
        return int(wait_until(child, 5, "unshare has a child")[0])

    def journal(self, unit):
        return self.run(["journalctl", "--no-pager", "--output", "cat", "--unit", unit]).stdout

    def shut_down(self, timeout=90):
        os.kill(self._first_process(), SHUT_DOWN)
        self.init.wait(timeout, check=False)
        self.init = None
