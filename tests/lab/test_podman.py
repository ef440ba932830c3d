"""Podman networks on two hosts, joined by GENEVE: with the MTU that fits, and with Podman's default."""

import contextlib

import pytest

from tests.support.podman import JoinedNetworks

FILE_BYTES = 10 << 20


@pytest.mark.parametrize("mtu", [1450, None])
def test_joined_networks(lab, mtu):
    with contextlib.closing(JoinedNetworks(lab, mtu)) as networks:
        capture = lab.hosts["h2"].capture("up0", max_frames=20_000)
        networks.ping()
        early = [gateway.drops() for gateway in networks.gateways]  # of what came before the other host was there
        sent, received = networks.fetch(FILE_BYTES)
        assert sent == received
        networks.ping(payload_bytes=1450 - 28)
        capture.stop()
        drops = [{reason: count - before.get(reason, 0) for reason, count in gateway.drops().items()
                  if count != before.get(reason, 0)} for gateway, before in zip(networks.gateways, early)]
        web = networks.podmen[1]
        inside = web.exec("c2", "ip", "-o", "link", "show", "eth0").stdout
    assert f"mtu {mtu or 1500} " in inside
    assert capture.count_bpf("udp port 6081") > FILE_BYTES // 65536
    assert not capture.broken()
    # c2 sends the file; without the option its first segments were too big, and it was told so.
    assert drops == ([{}, {}] if mtu else [{}, {"too_big": drops[1].get("too_big")}])
