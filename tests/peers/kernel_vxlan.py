"""The Linux kernel's VXLAN as a tunnel endpoint: a vxlan interface, a bridge and a container's veth."""


class KernelVxlanPeer:
    """Stands on `host`, whose interface `underlay` gets `address` (with its prefix length).

    `remote`: one address, or a multicast group.
    """

    def __init__(self, host, underlay, address, remote, ports, vni=100, udp_port=4789, ttl=0):
        self.host = host
        host.address(underlay, address)
        mtu = 1430 if ":" in address else 1450
        group = remote.startswith(("ff", "22", "23"))
        host.ip("link", "add", "vx0", "mtu", mtu, "type", "vxlan", "id", vni, "local", address.split("/")[0],
                "group" if group else "remote", remote, "dstport", udp_port, "ttl", ttl, "dev", underlay)
        host.ip("link", "add", "br0", "type", "bridge")
        host.ip("link", "set", "br0", "up")
        for port in ("vx0", *ports):
            host.ip("link", "set", port, "master", "br0", "up")
