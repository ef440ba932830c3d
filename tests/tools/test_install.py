"""./run install and uninstall: each prefix has a whole Causeway of its own."""

import os
import subprocess

import pytest

from tests.support.causeway import TOP
from tests.support.installed.prefix import prefix_kept, run_script


def files(prefix):
    return sorted(os.path.relpath(os.path.join(folder, name), prefix)
                  for folder, _, names in os.walk(prefix) for name in names)


def works(prefix):
    units = prefix / "lib/systemd/system"
    start = f"ExecStart={prefix}/bin/causewayd -c /etc/causeway/causeway.yaml"
    assert start + "\n" in (units / "causeway.service").read_text()
    of_ovs = (units / "causeway-ovs.service").read_text()
    assert start + " --ovsdb unix:/run/openvswitch/db.sock\n" in of_ovs
    assert "\nConflicts=ovs-vswitchd.service causeway.service\n" in of_ovs
    examples = prefix / "share/causeway"
    for example in (*examples.glob("*.yaml"), *examples.glob("fabric/*.yaml")):
        subprocess.run([prefix / "bin/causewayd", "-c", example, "--check"], check=True)
        subprocess.run([prefix / "bin/causewayctl", "check", "--strict", example], check=True)


@pytest.fixture
def kept():
    with prefix_kept():
        yield


def test_two_prefixes(kept, tmp_path):
    a, b = tmp_path / "a", tmp_path / "with space" / "b"
    assert f"installed under {a}" in run_script("install", a)
    here = files(a)
    assert {"bin/causewayd", "bin/causewayctl", "lib/systemd/system/causeway.service",
            "lib/systemd/system/causeway-ovs.service", "share/causeway/causeway.schema.json", "share/causeway/geneve-host1.yaml",
            "share/causeway/fabric/README.md", "share/causeway/fabric/gw1.yaml", "share/causeway/fabric/gw1-frr.conf",
            "share/man/man5/causeway.yaml.5", "share/man/man8/causewayctl.8", "share/man/man8/causewayd.8"} <= set(here)
    run_script("install", os.path.relpath(b, "/"))
    assert files(b) == here and files(a) == here
    works(a)
    works(b)
    (a / "bin/theirs").write_text("of somebody else")
    run_script("uninstall", a)
    assert files(a) == ["bin/theirs"] and not (a / "share/causeway").exists()
    assert files(b) == here
    works(b)
    done = subprocess.run([os.path.join(TOP, "run"), "uninstall", a], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "nothing is installed" in done.stderr
