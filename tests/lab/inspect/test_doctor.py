"""`causewayctl doctor` beside the kernel's VXLAN: silent where all is well, and what it says of peers that are set up
otherwise. What can be shown in memory is in tests/pipeline/inspect/doctor.cpp."""

import json

from tests.peers.cable import plain_cable
from tests.peers.kernel_vxlan import KernelVxlanPeer
from tests.support import traffic
from tests.support.overlay import gateway, two_hosts
from tests.support.process import wait_until

VNI = 123


def examined(daemon):
    """(exit status, finding by name)."""
    done = daemon.ctl_run("--json", "doctor", check=False)
    return done.returncode, {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}


def set_up_anew(h2, vni=VNI, udp_port=4789):
    h2.ip("link", "del", "vx0")
    h2.ip("link", "add", "vx0", "mtu", 1450, "type", "vxlan", "id", vni, "local", "172.31.0.2", "remote", "172.31.0.1",
          "dstport", udp_port, "dev", "up0")
    h2.ip("link", "set", "vx0", "master", "br0", "up")


def test_a_kernel_that_is_set_up_otherwise(lab):
    h1, h2, c1, c2 = two_hosts(lab)
    plain_cable(h1, "up0")
    plain_cable(h2, "up0")
    KernelVxlanPeer(h2, "up0", "172.31.0.2/24", "172.31.0.1", ["c2"], vni=VNI)
    daemon = h1.causeway(gateway(1, "vxlan"))
    wait_until(lambda: daemon.ctl("show", "tunnels")[0]["state"] == "up", 10, "the tunnel is up")
    wait_until(lambda: traffic.ping(c1, "10.1.0.2", count=1, check=False) == 1, 10, "a ping passes")
    assert examined(daemon) == (0, {})
    assert daemon.ctl_run("doctor").stdout == "nothing is wrong\n"

    def found(name, asker, address, what):
        def said():
            traffic.ping(asker, address, count=1, check=False)
            return name in examined(daemon)[1]

        wait_until(said, 20, what)
        status, findings = examined(daemon)
        assert status == 1
        return findings[name]

    set_up_anew(h2, vni=101)
    finding = found("unknown-vni", c2, "10.1.0.77", "the other VNI is named")
    assert finding["object"] == "tun0" and finding["severity"] == "wrong"
    assert finding["what"] == "172.31.0.2 sends VNI 101, but tun0 has VNI 123"
    assert finding["cure"] == "`tunnels.tun0.id: 101` here, or 123 at the peer"

    set_up_anew(h2, udp_port=8472)
    finding = found("udp-port", c2, "10.1.0.77", "the other UDP port is named")
    assert finding["what"] == "172.31.0.2 sends to UDP port 8472, but tun0 has 4789"

    h2.ip("link", "set", "vx0", "down")
    finding = found("refused", c1, "10.1.0.77", "the refusal is named")
    assert finding["what"] == "tun0: 172.31.0.2 refuses its packets to 172.31.0.2"
    assert "nobody listens on UDP port 4789" in finding["seen"] and "is the tunnel there, and up?" in finding["cure"]
    text = daemon.ctl_run("doctor", check=False).stdout
    assert "wrong  tun0: 172.31.0.2 refuses its packets to 172.31.0.2\n       seen: ICMP: port unreachable" in text

    # `stats` says who it was, too.
    example = daemon.ctl("stats")["examples"]["unknown_vni"]
    assert {"port": "up0", "source": "172.31.0.2", "udp_port": 4789, "vni": 101}.items() <= example.items()
    assert "last: " in daemon.ctl_run("stats").stdout


def test_a_remote_that_is_not_there(lab):
    h1, _, _, _ = two_hosts(lab)
    daemon = h1.causeway(gateway(1, "geneve"))
    wait_until(lambda: "next-hop" in examined(daemon)[1], 20, "the next hop is named")
    status, findings = examined(daemon)
    assert status == 1 and findings["next-hop"]["what"] == "tun0: 172.31.0.2 doesn't answer at up0"
