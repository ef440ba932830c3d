"""conf/fabric: what it tells people to copy is what Causeway and FRR take, and the two agree."""

import glob
import os
import re
import subprocess

import pytest
import yaml

from tests.support.causeway import TOP, program

FOLDER = os.path.join(TOP, "conf/fabric")


@pytest.mark.parametrize("name", ["gw1", "gw2"])
def test_a_gateway_and_its_frr(name):
    file = os.path.join(FOLDER, f"{name}.yaml")
    subprocess.run([program("causewayd"), "-c", file, "--check"], check=True)
    subprocess.run([program("causewayctl"), "check", "--strict", file], check=True)
    with open(file) as text:
        config = yaml.safe_load(text)
    local = config["bridges"]["br-int"]["evpn"]["local"]
    assert f"{local}/24" in config["ethernets"]["up0"]["addresses"]
    with open(os.path.join(FOLDER, f"{name}-frr.conf")) as text:
        conf = text.read()
    assert set(re.findall(r"update-source (\S+)|router-id (\S+)", conf)) == {(local, ""), ("", local)}


def test_frr_takes_its_files():
    files = glob.glob(os.path.join(FOLDER, "*-frr.conf"))
    assert len(files) == 4
    for file in files:
        done = subprocess.run(["vtysh", "--dryrun", "--inputfile", file], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), file
