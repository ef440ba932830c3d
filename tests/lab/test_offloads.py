"""Who cuts the super-packets: the kernel behind a TAP (tunnel-tso: on), or Causeway (off). Either way the payload
arrives whole, and what is on the wire is sound, as tshark sees it."""

import pytest

from tests.support import traffic
from tests.support.overlay import gateway, two_hosts
from tests.peers.cable import plain_cable
from tests.peers.transfer import transfer
from tests.support.process import wait_until

TRANSFER_BYTES = 200 << 20
LONG_TRANSFER_BYTES = 1 << 30
UNDERLAY = {4: "172.31.0.{}", 6: "fd00:31::{}"}
CONTAINER_MTU = {4: 1450, 6: 1430}


def config(me, mode, outer, tunnel_tso, macs):
    """Gateway `me`; there is no neighbor discovery over IPv6 yet, so the other one's MAC is written down."""
    text = gateway(me, mode)
    mine, other = UNDERLAY[outer].format(me), UNDERLAY[outer].format(3 - me)
    up0 = {"addresses": [f"{mine}/{24 if outer == 4 else 64}"], "offloads": {"tunnel-tso": tunnel_tso}}
    if outer == 6:
        up0["neighbors"] = [{"to": other, "macaddress": macs[2 - me]}]
    text["ethernets"]["up0"] = up0
    text["tunnels"]["tun0"].update(local=mine, remote=other)
    return text


class Bed:
    def __init__(self, lab, mode, outer, tunnel_tso, plain=False):
        self.lab, self.mode, self.outer = lab, mode, outer
        self.h1, self.h2, self.c1, self.c2 = two_hosts(lab, container_mtu=CONTAINER_MTU[outer])
        if plain:  # a wire that neither cuts nor sums, as a simple NIC's
            plain_cable(self.h1, "up0")
            plain_cable(self.h2, "up0")
        self.macs = [host.mac("up0") for host in (self.h1, self.h2)]
        self.gateways = [host.causeway(self.config(me, tunnel_tso)) for me, host in ((1, self.h1), (2, self.h2))]
        wait_until(lambda: traffic.ping(self.c1, self.c2.ip4, count=1, check=False), 10, "the tunnel carries")

    def config(self, me, tunnel_tso):
        return config(me, self.mode, self.outer, tunnel_tso, self.macs)

    def transfer(self, inner, size_bytes):
        """Both ways; nothing of it may get lost in here."""
        for client, server in ((self.c2, self.c1), (self.c1, self.c2)):
            before = retransmitted(server)
            fetched = traffic.fetch(client, server, server.ip4 if inner == 4 else server.ip6, size_bytes)
            print(f"{self.mode} {inner} in {self.outer}: {fetched['bytes_per_s'] * 8 / 1e9:.2f} Gbit/s")
            assert fetched["sent"] == fetched["received"]
            again = retransmitted(server) - before
            assert again < size_bytes / 1400 / 1000, f"{again} segments sent again"
        for daemon in self.gateways:
            assert daemon.lost() == {}
            assert [row["name"] for row in daemon.ctl("show", "ports") if row["tx_drops"] or row["rx_drops"]] == []


def tcp_counter(container, name):
    lines = container.run(["cat", "/proc/net/snmp", "/proc/net/netstat"], quiet=True).stdout.splitlines()
    tables = [line.split() for line in lines if line.startswith(("Tcp:", "TcpExt:"))]
    return next(int(values[names.index(name)]) for names, values in zip(tables[::2], tables[1::2]) if name in names)


def retransmitted(container):
    return tcp_counter(container, "RetransSegs")


@pytest.fixture(scope="module", params=[(mode, outer) for mode in ("geneve", "vxlan") for outer in (4, 6)],
                ids=lambda param: f"{param[0]}-over-ipv{param[1]}")
def tunnel(request):
    return request.param


@pytest.mark.parametrize("inner", [4, 6])
def test_super_packets_cross_the_cable_whole(lab, tunnel, inner):
    bed = Bed(lab, *tunnel, "on")
    capture = bed.h2.capture("up0", filter="greater 20000", snap_bytes=200)
    bed.transfer(inner, TRANSFER_BYTES)
    assert capture.stop().size_bytes() > 100_000


@pytest.mark.parametrize("tunnel_tso", ["on", "off"])
def test_a_gigabyte_arrives_as_it_was_sent(lab, tunnel_tso):
    """By its checksum, and no segment gets lost: what a sender on a busy machine sends twice had arrived already."""
    bed = Bed(lab, "geneve", 4, tunnel_tso)
    rate = transfer(bed.c2, bed.c1, bed.c2.ip4, LONG_TRANSFER_BYTES)
    again, needless = retransmitted(bed.c1), tcp_counter(bed.c1, "TCPDSACKRecvSegs")
    print(f"tunnel-tso {tunnel_tso}: {rate / 1e3:.2f} Gbit/s, {again} segments sent again, {needless} needlessly")
    for daemon in bed.gateways:
        assert daemon.lost() == {}
        assert [row["name"] for row in daemon.ctl("show", "ports") if row["tx_drops"] or row["rx_drops"]] == []
    assert again <= needless


@pytest.mark.parametrize("tunnel_tso", ["on", "off"])
@pytest.mark.parametrize("inner", [4, 6])
def test_frames_on_a_simple_wire(lab, tunnel, inner, tunnel_tso):
    """`on`: the kernel cuts behind the TAP; `off`: Causeway does. tshark finds the same fault in both: none."""
    mode, outer = tunnel
    bed = Bed(lab, mode, outer, tunnel_tso, plain=True)
    capture = bed.h2.capture("up0", max_frames=4000)
    bed.transfer(inner, 20 << 20)
    frames = capture.stop().frames(mode, ["frame.len", "udp.length", "ip.len", "ip.id", "ipv6.plen", "tcp.len", "tcp.seq_raw",
                                          "udp.checksum"], options=["-o", "tcp.desegment_tcp_streams:FALSE"])
    assert len(frames) > 3000
    assert max(int(frame["frame.len"][0]) for frame in frames) <= 1514
    assert capture.broken() == []
    if outer == 6:
        assert all(int(frame["udp.checksum"][0], 0) for frame in frames)
    check_lengths(frames, inner, outer)
    if inner == 4:
        check_ids(frames, outer)


def check_lengths(frames, inner, outer):
    for frame in frames:
        if not frame["tcp.len"]:
            continue
        udp = int(frame["udp.length"][0])
        length = {4: [int(value) for value in frame["ip.len"]], 6: [int(value) for value in frame["ipv6.plen"]]}
        assert length[outer][0] == udp + (20 if outer == 4 else 0)
        assert length[inner][-1] == udp - 8 - 8 - 14 - (40 if inner == 6 else 0)
        assert int(frame["frame.len"][0]) == 14 + (20 if outer == 4 else 40) + udp


def check_ids(frames, outer):
    """Each inner segment has the id after the one before, as if it had been sent alone."""
    data = [frame for frame in frames if frame["tcp.len"] and int(frame["tcp.len"][0]) > 1000]
    steps = []
    for before, after in zip(data, data[1:]):
        follows = (int(before["tcp.seq_raw"][0]) + int(before["tcp.len"][0])) % (1 << 32) == int(after["tcp.seq_raw"][0])
        if follows:
            steps.append((int(after["ip.id"][-1], 0) - int(before["ip.id"][-1], 0)) % (1 << 16))
    assert len(steps) > 1000 and set(steps) == {1}


def test_the_tap_follows_the_configuration_and_goes_with_the_daemon(lab):
    bed = Bed(lab, "geneve", 4, "on")
    h1, g1 = bed.h1, bed.gateways[0]
    assert h1.interfaces() == ["c1", "cw-tso0", "up0"]
    offloads = h1.run(["ethtool", "-k", "cw-tso0"]).stdout
    assert "tx-udp_tnl-segmentation: on" in offloads and "tx-udp_tnl-csum-segmentation: on" in offloads
    states = {row["offload"]: row["state"] for row in g1.ctl("show", "offloads") if row["port"] == "up0"}
    assert (states["geneve-tso-ipv4"], states["vxlan-tso-ipv6"], states["gre-tso-ipv4"]) == ("hardware", "hardware", "software")
    smaller = bed.config(1, "on")
    smaller["ethernets"]["up0"]["mtu"] = 1400
    g1.apply(smaller)
    assert "mtu 1400" in h1.ip("link", "show", "cw-tso0").stdout
    g1.apply(bed.config(1, "off"))
    assert h1.interfaces() == ["c1", "up0"]
    states = {row["offload"]: row for row in g1.ctl("show", "offloads") if row["port"] == "up0"}
    assert (states["geneve-tso-ipv4"]["state"], states["geneve-tso-ipv4"]["reason"]) == ("off", "offloads.tunnel-tso: off")
    assert traffic.ping(bed.c1, bed.c2.ip4) == 3
    g1.apply(bed.config(1, "on"))
    assert len(h1.interfaces()) == 3
    g1.process.child.kill()
    g1.process.wait(5, check=False)
    wait_until(lambda: h1.interfaces() == ["c1", "up0"], 5, "the TAP is gone")
    # Nor does anything still take the frames away from the host.
    h1.ip("addr", "add", "172.31.0.1/24", "dev", "up0")
    bed.gateways[1].stop()
    bed.h2.ip("addr", "add", "172.31.0.2/24", "dev", "up0")
    assert traffic.ping(bed.h2, "172.31.0.1") == 3


def test_what_a_port_lacks_is_an_error_with_its_name(lab):
    bed = Bed(lab, "geneve", 4, "off")
    g1 = bed.gateways[0]
    wrong = bed.config(1, "off")
    wrong["ethernets"]["c1"] = {"offloads": {"tunnel-tso": "on"}}
    refused = g1.apply(wrong, check=False)
    assert refused.returncode != 0
    assert "offloads.tunnel-tso: the device lacks tx-udp_tnl-segmentation" in refused.stdout + refused.stderr
    wrong = bed.config(1, "off")
    wrong["ethernets"]["nul0"] = {"dpdk": {"devargs": "net_null7"}, "offloads": {"tunnel-tso": "on"}}
    refused = g1.apply(wrong, check=False)
    assert "RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO" in refused.stdout + refused.stderr
    assert traffic.ping(bed.c1, bed.c2.ip4) == 3


@pytest.mark.parametrize("mode", ["geneve", "vxlan"])
def test_a_tunnel_that_containers_make_themselves(lab, mode):
    """Kubernetes nodes in VMs: VXLAN within our tunnel, and super-packets within that."""
    bed = Bed(lab, mode, 4, "auto")
    for number, container, peer in ((1, bed.c1, bed.c2), (2, bed.c2, bed.c1)):
        container.ip("link", "add", "own0", "type", "vxlan", "id", "9", "remote", peer.ip4, "dstport", "4789",
                     "dev", "eth0")
        container.ip("link", "set", "own0", "up")
        container.address("own0", f"10.9.0.{number}/24")
    wait_until(lambda: traffic.ping(bed.c1, "10.9.0.2", count=1, check=False), 10, "the inner tunnel carries")
    capture = bed.c1.capture("eth0", filter="greater 20000", snap_bytes=200)
    for client, server, address in ((bed.c2, bed.c1, "10.9.0.1"), (bed.c1, bed.c2, "10.9.0.2")):
        fetched = traffic.fetch(client, server, address, TRANSFER_BYTES // 4)
        assert fetched["sent"] == fetched["received"]
    assert capture.stop().size_bytes() > 20_000  # the containers do hand over super-packets
    for daemon in bed.gateways:
        assert daemon.lost() == {}
