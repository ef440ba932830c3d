"""A kernel that answers tunnels' packets with "port unreachable": what the peer says of it, and the gateway beside it."""

from tests.support.causeway import program
from tests.support.overlay import gateway, two_hosts
from tests.support.process import wait_until

CURE = "ip addr del 172.31.0.1/24 dev up0"


def test_a_host_without_a_gateway_refuses(lab):
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    h1.address("up0", "172.31.0.1/24", "fd00:31::1/64")
    ends = {4: {"local": "172.31.0.2", "remote": "172.31.0.1"}, 6: {"local": "fd00:31::2", "remote": "fd00:31::1"}}
    tunnels = {f"{mode}{family}": {"mode": mode, "id": 7, **ends[family]}
               for mode in ("vxlan", "geneve", "gretap") for family in (4, 6)}
    daemon = h2.causeway({"version": 1, "system": {"hugepages": "off"},
                          "ethernets": {"lan0": {"tap": {}}, "up0": {"addresses": ["172.31.0.2/24", "fd00:31::2/64"]}},
                          "bridges": {"br": {"interfaces": ["lan0", *tunnels]}}, "tunnels": tunnels})
    wait_until(lambda: all(row["state"] == "up" for row in daemon.ctl("show", "tunnels")), 10, "the tunnels are up")
    h2.address("lan0", "10.9.0.2/24")

    def states():
        h2.run("ping -c1 -W1 10.9.0.9 > /dev/null", check=False, quiet=True)  # an ARP request to all
        return {row["name"]: row["state"] for row in daemon.ctl("show", "tunnels")}

    wait_until(lambda: set(states().values()) == {"refused"}, 15, "the kernel has refused all")
    for row in daemon.ctl("show", "tunnels"):
        assert row["refusals"][0]["from"] == row["remote"]
        assert row["refusals"][0]["reason"] in ("port unreachable", "protocol unreachable")
    log = daemon.log(200)
    for name, tunnel in tunnels.items():
        assert log.count(f"{name}: {tunnel['remote']} refuses its packets to {tunnel['remote']}: ") == 1
    assert "vxlan4: 172.31.0.1 refuses its packets to 172.31.0.1: port unreachable, nobody listens on UDP port 4789 there" in log
    assert daemon.lost() == {}


def test_an_address_that_the_host_has_too(lab):
    h1, _, _, _ = two_hosts(lab)
    h1.address("up0", "172.31.0.1/24")
    config = gateway(1, "vxlan")
    daemon = h1.causeway(config)
    warning = ('warning: ethernets.up0.addresses: 172.31.0.1 is the host\'s own address, too, on up0: its kernel answers '
               f'tunnels\' packets with "port unreachable"; take it from the host: {CURE}')

    def warned(times):  # the log is written by a thread of its own
        wait_until(lambda: daemon.log().count(warning) == times, 3, f"the log has it {times} times")

    warned(1)
    daemon.apply(config)
    warned(2)
    for check in ([program("causewayctl"), "check", daemon.file], [program("causewayd"), "--check", "-c", daemon.file]):
        checked = h1.run(check)
        assert warning in checked.stdout + checked.stderr
    h1.run(CURE)
    daemon.apply(config)
    assert daemon.log().count(warning) == 2
    # It is as bad on another interface of the host.
    h1.address("lo", "172.31.0.1/32")
    daemon.apply(config)
    wait_until(lambda: "take it from the host: ip addr del 172.31.0.1/32 dev lo" in daemon.log(), 3, "it is said, too")
