"""Frames between hosts 1 to 6: `eth.S-D[.vVLAN]`, where D may be `all`. `out.TUNNEL.R.S-D` is that frame on its way to
remote R, `in.TUNNEL.R.S-D` on its way from there. The tunnels are those of bridge.cpp."""

from scapy.all import IP, TCP, UDP, Dot1Q, Ether, Raw, raw

from overlay_frames import encapsulated, host_mac, some_bytes

HOSTS = range(1, 7)
VLANS = (None, 10, 20)
TUNNELS = {"vx0": ("vxlan", 10, (2, 3, 4)), "vx1": ("vxlan", 11, (2,)), "gn1": ("geneve", 12, (5,))}


def frame(source, destination, vlan=None):
    mac = "ff:ff:ff:ff:ff:ff" if destination == "all" else host_mac(destination)
    head = Ether(src=host_mac(source), dst=mac)
    if vlan is not None:
        head = head / Dot1Q(vlan=vlan, prio=3)
    address = "10.3.0.255" if destination == "all" else f"10.3.0.{destination}"
    return raw(head / IP(src=f"10.3.0.{source}", dst=address) / UDP(sport=source, dport=7) / Raw(some_bytes(30)))


def write_bridge(out):
    for source in HOSTS:
        for destination in [*HOSTS, "all"]:
            for vlan in VLANS:
                name = f"{source}-{destination}" + (f".v{vlan}" if vlan is not None else "")
                inner = frame(source, destination, vlan)
                out.write(f"eth.{name}", inner)
                for tunnel, (mode, number, remotes) in TUNNELS.items():
                    for remote in remotes:
                        out.write(f"in.{tunnel}.{remote}.{name}", encapsulated(mode, number, inner, remote=remote))
                        out.write(f"out.{tunnel}.{remote}.{name}",
                                  encapsulated(mode, number, inner, remote=remote, incoming=False))
    payload = Raw(some_bytes(46))
    for last in (*range(0x10), 0x10):
        out.write(f"reserved.{last:02x}", raw(Ether(src=host_mac(1), dst=f"01:80:c2:00:00:{last:02x}", type=0x88CC) / payload))
    for source in ("ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01"):
        out.write_next("group-source", raw(Ether(src=source, dst=host_mac(2), type=0x88B5) / payload))
    for reason, source in (("source_multicast", "03:00:00:00:00:01"), ("source_zero", "00:00:00:00:00:00")):
        for destination in (host_mac(2), "ff:ff:ff:ff:ff:ff", source):
            plain = raw(Ether(src=source, dst=destination, type=0x88B5) / payload)
            tagged = raw(Ether(src=source, dst=destination) / Dot1Q(vlan=10, type=0x88B5) / payload)
            for name, inner in (("", plain), (".v10", tagged)):
                name = f"no-source.{reason}.{destination}{name}"
                out.write(name, inner)
                out.write(f"{name}.in.vx0", encapsulated("vxlan", 10, inner, remote=3))
                out.write(f"{name}.in.gn1", encapsulated("geneve", 12, inner, remote=5))
    # What is copied for a flood: up to 512 bytes whole, more by reference.
    for size in (14, 60, 255, 256, 257, 511, 512, 513, 1000, 1514):
        big = raw(Ether(src=host_mac(1), dst="ff:ff:ff:ff:ff:ff", type=0x88B5) / Raw(some_bytes(size - 14)))
        out.write(f"sized.{size}", big)
        for tunnel, (mode, number, remotes) in TUNNELS.items():
            for remote in remotes:
                out.write(f"out.{tunnel}.{remote}.sized.{size}",
                          encapsulated(mode, number, big, remote=remote, incoming=False))
    super_packet = raw(Ether(src=host_mac(1), dst=host_mac(2)) / IP(src="10.3.0.1", dst="10.3.0.2")
                       / TCP(sport=1, dport=2, flags="A") / Raw(some_bytes(9000)))
    out.write("jumbo", super_packet)
    # Which tunnel a frame belongs to, for the tests of changes. The underlay's MAC is another one there.
    inner = frame(5, "all")
    for number in (1, 2):
        swap = encapsulated("geneve", number, inner)
        out.write(f"swap.{number}", bytes.fromhex("020000000011") + swap[6:])
    for remote in (2, 3):
        out.write(f"key.none.{remote}", encapsulated("gretap", None, inner, remote=remote))
        out.write(f"key.zero.{remote}", encapsulated("gretap", 0, inner, remote=remote))
