"""What is wrong in the set-ups of inspect/doctor.cpp, as frames; and what is right in those without a fault."""

from scapy.all import ARP, IP, UDP, Dot1Q, Ether, Raw, raw

from overlay_frames import OUR_IP, OUR_MAC, REMOTE_MAC, encapsulated, host_mac, some_bytes
from refused_frames import says4


def host_frame(source, destination, payload_bytes=40, tag=None):
    mac = "ff:ff:ff:ff:ff:ff" if destination == 255 else host_mac(destination)
    frame = Ether(src=host_mac(source), dst=mac)
    if tag is not None:
        frame = frame / Dot1Q(vlan=tag)
    return raw(frame / IP(src=f"10.8.0.{source}", dst=f"10.8.0.{destination}") / UDP() / Raw(some_bytes(payload_bytes)))


def write_doctor(out):
    # Host 1 is here, host 2 behind the tunnel of VNI 100 to remote 2.
    out.write("doctor.here", host_frame(1, 255))
    out.write("doctor.here-again", host_frame(1, 2))
    out.write("doctor.there", encapsulated("vxlan", 100, host_frame(2, 1)))
    out.write("doctor.vni-101", encapsulated("vxlan", 101, host_frame(2, 1)))
    out.write("doctor.port-8472", encapsulated("vxlan", 100, host_frame(2, 1), port=8472))
    out.write("doctor.source-9", encapsulated("vxlan", 100, host_frame(2, 1), remote=9))
    sent = encapsulated("vxlan", 100, host_frame(1, 2), incoming=False)
    out.write("doctor.no-port", says4(sent, type=3, code=3))
    sent = encapsulated("vxlan", 100, host_frame(1, 2, payload_bytes=1410), incoming=False)
    narrow = says4(sent, sender="172.31.0.2", type=3, code=4, nexthopmtu=1400)
    out.write("doctor.narrow", narrow)
    out.write("doctor.narrow-vlan-5", raw(Ether(src=REMOTE_MAC[2], dst=OUR_MAC) / Dot1Q(vlan=5) / IP(narrow[14:])))
    out.write("doctor.long", host_frame(1, 255, payload_bytes=1460))
    out.write("doctor.vlan-20", host_frame(1, 255, tag=20))
    out.write("doctor.other-host", host_frame(7, 255))
    out.write("doctor.here-from-there", encapsulated("vxlan", 100, host_frame(1, 255)))
    out.write("doctor.our-address", raw(Ether(src=REMOTE_MAC[7], dst="ff:ff:ff:ff:ff:ff")
                                        / ARP(hwsrc=REMOTE_MAC[7], psrc=OUR_IP[4], pdst=OUR_IP[4], op=1)).ljust(60, b"\0"))
