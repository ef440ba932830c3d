"""A VTEP of the Linux kernel's, as FRR wants it: a bridge, a vxlan that learns nothing by itself, and ports."""


class FrrVtep:
    """Stands on `host`; `local` is an address that the host has. FRR is the caller's: it may run before or come later."""

    def __init__(self, host, local, ports, vni=100, udp_port=4789, mtu=1450):
        self.host = host
        self.bridge, self.vxlan = f"br{vni}", f"vx{vni}"
        host.ip("link", "add", self.bridge, "type", "bridge", "mcast_snooping", "0")
        # Neighbors of IPv6 want it on; without an address the bridge itself says nothing.
        host.sysctl(f"net.ipv6.conf.{self.bridge}.addr_gen_mode", 1)
        host.sysctl(f"net.ipv6.conf.{self.bridge}.disable_ipv6", 0)
        host.ip("link", "set", self.bridge, "up")
        host.ip("link", "add", self.vxlan, "mtu", mtu, "type", "vxlan", "id", vni, "local", local, "dstport", udp_port,
                "nolearning")
        for port in (self.vxlan, *ports):
            host.ip("link", "set", port, "master", self.bridge, "up")
        host.ip("link", "set", self.vxlan, "type", "bridge_slave", "learning", "off", "neigh_suppress", "on")

    def add_host(self, address, mac):
        """A neighbor that FRR is to tell of: this bridge has no address, and so learns none itself."""
        self.host.ip("neigh", "replace", address, "lladdr", mac, "dev", self.bridge, "nud", "noarp")

    def flood_list(self):
        """Addresses of the VTEPs that get what is flooded."""
        rows = self.host.run(["bridge", "fdb", "show", "dev", self.vxlan], quiet=True).stdout.splitlines()
        return {row.split()[2] for row in rows if row.startswith("00:00:00:00:00:00 dst ")}
