"""./run install and uninstall: each prefix has a whole Causeway of its own."""

import json
import os
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build")


def run(*arguments):
    # Not from the top: a relative PREFIX is the caller's.
    done = subprocess.run([os.path.join(TOP, "run"), *map(str, arguments)], cwd="/", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


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
    for example in (prefix / "share/causeway").glob("*.yaml"):
        subprocess.run([prefix / "bin/causewayd", "-c", example, "--check"], check=True)
        subprocess.run([prefix / "bin/causewayctl", "check", "--strict", example], check=True)


@pytest.fixture
def prefix_kept():
    """The build folder is somebody's, and so is the prefix it was set up with."""
    if os.path.realpath(os.environ.get("CAUSEWAY_BUILD", BUILD)) != BUILD:
        pytest.skip("./run install takes what is in build/")
    options = json.loads(subprocess.run(["meson", "introspect", "--buildoptions", BUILD], check=True, text=True,
                                        capture_output=True).stdout)
    prefix = next(option["value"] for option in options if option["name"] == "prefix")
    yield
    subprocess.run(["meson", "setup", "--reconfigure", BUILD, f"--prefix={prefix}"], check=True,
                   stdout=subprocess.DEVNULL, cwd=TOP)


def test_two_prefixes(prefix_kept, tmp_path):
    a, b = tmp_path / "a", tmp_path / "with space" / "b"
    assert f"installed under {a}" in run("install", a)
    here = files(a)
    assert {"bin/causewayd", "bin/causewayctl", "lib/systemd/system/causeway.service",
            "lib/systemd/system/causeway-ovs.service", "share/causeway/causeway.schema.json", "share/causeway/geneve-host1.yaml",
            "share/man/man5/causeway.yaml.5", "share/man/man8/causewayctl.8", "share/man/man8/causewayd.8"} <= set(here)
    run("install", os.path.relpath(b, "/"))
    assert files(b) == here and files(a) == here
    works(a)
    works(b)
    (a / "bin/theirs").write_text("of somebody else")
    run("uninstall", a)
    assert files(a) == ["bin/theirs"] and not (a / "share/causeway").exists()
    assert files(b) == here
    works(b)
    done = subprocess.run([os.path.join(TOP, "run"), "uninstall", a], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "nothing is installed" in done.stderr
