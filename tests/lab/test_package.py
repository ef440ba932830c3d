"""The Debian package, made of what is built: what is in it, and a machine that it is installed on, booted by systemd."""

import os
import re
import shutil
import subprocess

import pytest
import yaml

from tests.support import traffic
from tests.support.installed.prefix import prefix_kept, run_script
from tests.support.installed.machine import Machine
from tests.support.overlay import gateway, two_hosts
from tests.support.process import run, wait_until

# It changes the prefix of the build folder; the machine is booted twice.
pytestmark = [pytest.mark.alone, pytest.mark.deadline(600)]

FILES = {
    "/usr/bin/causewayd", "/usr/bin/causewayctl", "/usr/lib/sysusers.d/causeway.conf", "/usr/lib/tmpfiles.d/causeway.conf",
    "/usr/share/man/man5/causeway.yaml.5.gz", "/usr/share/man/man8/causewayd.8.gz", "/usr/share/man/man8/causewayctl.8.gz",
    "/usr/share/bash-completion/completions/causewayctl", "/usr/share/zsh/vendor-completions/_causewayctl",
    "/usr/share/causeway/causeway.schema.json", "/usr/share/causeway/geneve-host1.yaml", "/usr/share/causeway/nic.conf",
    "/usr/share/doc/causeway/copyright", "/usr/share/doc/causeway/changelog.gz", "/usr/share/doc/causeway/examples",
}
UNITS = {"causeway.service", "causeway-ovs.service"}
INSTALL = "dpkg --force-unsafe-io --no-triggers -i /causeway.deb"
# What Debian itself writes when packages and users come and go, and when it boots.
OF_DEBIAN = re.compile(r"/var/(lib/(dpkg|apt|systemd)|log|cache|spool)/|/var/\.updated|/etc/(passwd|group|g?shadow|sub[ug]id)-?$|"
                       r"/etc/(\.pwd\.lock|\.updated|machine-id|mtab|resolv\.conf)$")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    with prefix_kept():
        run_script("deb", folder)
    (file,) = folder.glob("causeway_*.deb")
    return str(file)


@pytest.fixture(scope="module")
def unpacked(package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    run(["dpkg-deb", "--raw-extract", package, folder])
    return folder


def unit_of(unpacked, name="causeway.service"):
    (unit,) = unpacked.glob(f"**/systemd/system/{name}")
    return unit


def test_what_is_in_it(package, unpacked):
    files = {"/" + os.path.relpath(os.path.join(folder, name), unpacked)
             for folder, folders, names in os.walk(unpacked) for name in [*names, *folders]}
    assert FILES <= files, FILES - files
    assert {os.path.basename(file) for file in files if "/systemd/system/" in file} == UNITS
    assert not any(file.startswith("/etc") for file in files)  # no conffile: people write the file, and `save` does
    fields = run(["dpkg-deb", "--field", package]).stdout
    version = re.search(r"^Version: (.*)$", fields, re.MULTILINE).group(1)
    assert os.path.basename(package) == f"causeway_{version}_{run(['dpkg', '--print-architecture']).stdout.strip()}.deb"
    assert run([unpacked / "usr/bin/causewayd", "--version"]).stdout == f"causewayd {version}\n"
    assert "libpcap" in re.search(r"^Depends: (.*)$", fields, re.MULTILINE).group(1)
    assert "ExecStart=/usr/bin/causewayd -c /etc/causeway/causeway.yaml\n" in unit_of(unpacked).read_text()


def test_lintian_finds_no_error(package):
    if not shutil.which("lintian"):
        pytest.skip("no lintian")
    done = run(["lintian", "--allow-root", "--fail-on", "error", package], timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_man_pages_are_whole(unpacked):
    for page in unpacked.glob("usr/share/man/man*/*.gz"):
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page], capture_output=True, text=True,
                              check=False, env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "120"})
        assert (done.returncode, done.stderr) == (0, ""), page


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_the_sandbox(unpacked, unit):
    path = unit_of(unpacked, unit)
    verdict = run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=30", path], check=False)
    assert verdict.returncode == 0, verdict.stdout  # 30: an exposure of 3.0
    print(verdict.stdout.splitlines()[-1])


def fetch_state(machine):
    return machine.run(["systemctl", "show", "--value", "--property", "ActiveState", "causeway"], check=False).stdout.strip()


def journal_line(machine, text):
    return wait_until(lambda: [line for line in machine.journal("causeway").splitlines() if text in line], 10,
                      f"the journal says {text!r}")[0]


def test_a_machine_with_it(lab, package):
    """Installed, booted: traffic through a tunnel; booted again: traffic again; then who may do what; then upgraded, purged."""
    h1, h2, c1, c2 = two_hosts(lab)
    machine = Machine(h1)
    before = machine.written()
    machine.copy(package, "/causeway.deb")
    print(machine.run(INSTALL, timeout=180).stdout)
    wanted = gateway(1, "geneve", system={"memory": "128M"})
    machine.write("/etc/causeway/causeway.yaml", yaml.safe_dump(wanted))
    h2.causeway(gateway(2, "geneve", system={"memory": "128M"}))
    for boot in (1, 2):
        machine.boot()
        assert fetch_state(machine) == "active", machine.journal("causeway")
        wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, f"traffic after boot {boot}")
        assert traffic.ping(c1, c2.ip4) == 3
        if boot == 1:
            machine.shut_down()
    status = machine.run("cat /proc/$(systemctl show --value --property MainPID causeway)/status").stdout
    user = machine.run("id -u causeway").stdout.strip()
    assert re.search(rf"^Uid:\t{user}\t{user}\t{user}\t{user}$", status, re.MULTILINE), status
    rights(machine)
    upgrade(machine)
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "traffic after the upgrade")
    purge(machine, before)


def rights(machine):
    """A stranger, one who is in the group, and an admin."""
    machine.run("useradd stranger; useradd -G causeway reader; useradd -G causeway boss")

    def ctl(user, *words):
        return machine.run(["setpriv", "--reuid", user, "--regid", user, "--init-groups", "causewayctl", *words], check=False)
    assert "Permission denied" in ctl("stranger", "--socket", "/run/causeway/causeway.sock", "show").stderr
    assert ctl("reader", "show").returncode == 0
    done = ctl("reader", "reload")
    assert done.returncode == 1 and "reload: only root, the daemon's own user and `system.admins` may" in done.stderr, done
    number = machine.run("id -u reader").stdout.strip()
    assert journal_line(machine, f"control socket: reload forbidden to uid {number}, process ")
    machine.run("sed -i 's/^system:/system:\\n  admins: [boss]/' /etc/causeway/causeway.yaml && causewayctl reload")
    assert ctl("boss", "fdb", "flush").returncode == 0
    assert machine.run("stat -c '%U:%G %a' /run/causeway/causeway.sock /etc/causeway /var/lib/causeway").stdout.splitlines() == [
        "causeway:causeway 660", "causeway:causeway 755", "causeway:causeway 750"]
    machine.run("userdel stranger; userdel reader; userdel boss")


def upgrade(machine):
    """The package over itself: what runs is the program that is there now."""
    def shown(name):
        return machine.run(["systemctl", "show", "--value", "--property", name, "causeway"]).stdout.strip()
    before = shown("MainPID")
    print(machine.run(INSTALL, timeout=180).stdout)
    after = wait_until(lambda: shown("MainPID") not in (before, "0") and shown("MainPID"), 20, "another process is the service's")
    assert shown("ActiveState") == "active", machine.journal("causeway")
    assert machine.run(["readlink", f"/proc/{after}/exe"]).stdout == "/usr/bin/causewayd\n"


def purge(machine, before):
    machine.run("dpkg --force-unsafe-io --no-triggers --purge causeway", timeout=180)
    assert fetch_state(machine) == "inactive", machine.journal("causeway")
    left = sorted(path for path in machine.written() - before if not OF_DEBIAN.match(path))
    assert left == ["/causeway.deb"]
    for folder in ("/etc/causeway", "/var/lib/causeway", "/usr/share/causeway", "/usr/share/doc/causeway", "/run/causeway"):
        assert machine.run(["test", "-e", folder], check=False).returncode == 1, folder
    # A user's number must not become another one's: the account stays, as Debian's do.
    assert machine.run("id -u causeway", check=False).returncode == 0
