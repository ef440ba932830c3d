"""A fabric's frames. Between hosts 1 to 3: `evpn.S-D`, where D may be `all`. `evpn.out.I.R.S-D` is that frame on its way to
VTEP R in instance I, `evpn.in.I.R.S-D` on its way from there. The instances are those of evpn.cpp."""

from scapy.all import IP, UDP, Ether, Raw, raw

from overlay_frames import encapsulated, host_mac, some_bytes

HOSTS = (1, 2, 3)
VTEPS = (2, 3)
INSTANCES = {"vx": ("vxlan", 100, 4), "six": ("vxlan", 100, 6), "gn": ("geneve", 100, 4),
             "ten": ("vxlan", 110, 4), "twenty": ("vxlan", 120, 4)}


def write_evpn(out):
    for source in HOSTS:
        for destination in [*HOSTS, "all"]:
            mac = "ff:ff:ff:ff:ff:ff" if destination == "all" else host_mac(destination)
            address = "10.19.0.255" if destination == "all" else f"10.19.0.{destination}"
            inner = raw(Ether(src=host_mac(source), dst=mac) / IP(src=f"10.19.0.{source}", dst=address)
                        / UDP(sport=source, dport=7) / Raw(some_bytes(30)))
            out.write(f"evpn.{source}-{destination}", inner)
            for instance, (mode, vni, family) in INSTANCES.items():
                for vtep in VTEPS:
                    way = f"{instance}.{vtep}.{source}-{destination}"
                    out.write(f"evpn.out.{way}", encapsulated(mode, vni, inner, family, remote=vtep, incoming=False))
                    out.write(f"evpn.in.{way}", encapsulated(mode, vni, inner, family, remote=vtep))
