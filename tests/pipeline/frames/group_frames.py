"""What a host says and hears about its multicast groups, and tunnels over a group."""

import logging

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)

from scapy.all import (IP, UDP, Ether, ICMPv6MLDMultAddrRec, ICMPv6MLDone, ICMPv6MLQuery, ICMPv6MLQuery2, ICMPv6MLReport,
                       ICMPv6MLReport2, IPOption_Router_Alert, IPv6, IPv6ExtHdrHopByHop, Raw, RouterAlert, raw)
from scapy.contrib.igmp import IGMP
from scapy.contrib.igmpv3 import IGMPv3, IGMPv3gr, IGMPv3mq, IGMPv3mr

from decap_frames import NO_HOST
from mtu_frames import router_says
from overlay_frames import OUR_IP, OUR_MAC, REMOTE_MAC, encapsulated, host_mac

GROUP, GROUP_MAC = "239.129.1.1", "01:00:5e:01:01:01"  # RFC 1112: 23 bits of it
GROUP6, GROUP6_MAC = "ff05::1:2345", "33:33:00:01:23:45"
OWN_GROUP, OWN_GROUP_MAC = "ff02::1:ff00:1", "33:33:ff:00:00:01"  # of our address
OUR_LINK_LOCAL = "fe80::ff:fe00:1"
QUERIER, QUERIER6 = "172.31.0.9", "fe80::9"


def padded(frame):
    return raw(frame).ljust(60, b"\0")


def igmp(to_mac, to, message, source=(OUR_MAC, OUR_IP[4]), **fields):
    fields = {"tos": 0xC0, "id": 0, "flags": "DF", "ttl": 1, "options": [IPOption_Router_Alert()], **fields}
    return padded(Ether(src=source[0], dst=to_mac) / IP(src=source[1], dst=to, proto=2, **fields) / message)


def mld(to_mac, to, message, source=(OUR_MAC, OUR_LINK_LOCAL)):
    # IPv6's padding of a router alert to 8 bytes is scapy's own doing.
    return padded(Ether(src=source[0], dst=to_mac) / IPv6(src=source[1], dst=to, hlim=1, tc=0xC0 if source[0] == OUR_MAC else 0)
                  / IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)]) / message)


def mld2_report(*records):
    return mld("33:33:00:00:00:16", "ff02::16", ICMPv6MLReport2(
        records=[ICMPv6MLDMultAddrRec(rtype=kind, dst=group) for kind, group in records]))


def write_messages(out):
    for name, kind in (("is", 2), ("leave", 3), ("join", 4)):
        out.write(f"igmp3.{name}", igmp("01:00:5e:00:00:16", "224.0.0.22",
                                        IGMPv3(type=0x22) / IGMPv3mr(records=[IGMPv3gr(rtype=kind, maddr=GROUP)])))
        out.write(f"mld2.{name}", mld2_report((kind, GROUP6)))
        out.write(f"mld2.own.{name}", mld2_report((kind, OWN_GROUP)))
        out.write(f"mld2.both.{name}", mld2_report((kind, OWN_GROUP), (kind, GROUP6)))
    out.write("mld2.own.changes", mld2_report((4, "ff02::1:ff00:77")))
    out.write("igmp2.is", igmp(GROUP_MAC, GROUP, IGMP(type=0x16, mrcode=0, gaddr=GROUP)))
    out.write("igmp2.leave", igmp("01:00:5e:00:00:02", "224.0.0.2", IGMP(type=0x17, mrcode=0, gaddr=GROUP)))
    out.write("mld1.is", mld(GROUP6_MAC, GROUP6, ICMPv6MLReport(mladdr=GROUP6, mrd=0)))
    out.write("mld1.own.is", mld(OWN_GROUP_MAC, OWN_GROUP, ICMPv6MLReport(mladdr=OWN_GROUP, mrd=0)))
    out.write("mld1.leave", mld("33:33:00:00:00:02", "ff02::2", ICMPv6MLDone(mladdr=GROUP6, mrd=0)))
    querier = (REMOTE_MAC[9], QUERIER)
    everybody = ("01:00:5e:00:00:01", "224.0.0.1")
    queries = {
        "igmp3.query": igmp(*everybody, IGMPv3(type=0x11, mrcode=1) / IGMPv3mq(), source=querier),
        "igmp3.query-of-it": igmp(GROUP_MAC, GROUP, IGMPv3(type=0x11, mrcode=1) / IGMPv3mq(gaddr=GROUP), source=querier),
        "igmp3.query-of-another": igmp("01:00:5e:01:01:02", "239.1.1.2", IGMPv3(type=0x11, mrcode=1)
                                       / IGMPv3mq(gaddr="239.1.1.2"), source=querier),
        "igmp3.query-slow": igmp(*everybody, IGMPv3(type=0x11, mrcode=0x8F) / IGMPv3mq(), source=querier),  # 31 * 2^3 / 10 s
        "igmp2.query": igmp(*everybody, IGMP(type=0x11, mrcode=1), source=querier),
        "igmp2.query-of-version-1": igmp(*everybody, IGMP(type=0x11, mrcode=0), source=querier),
        "igmp2.query-without-alert": igmp(*everybody, IGMP(type=0x11, mrcode=1), source=querier, options=[]),
    }
    for name, frame in queries.items():
        out.write(name, frame)
    querier6 = (REMOTE_MAC[9], QUERIER6)
    nodes = ("33:33:00:00:00:01", "ff02::1")
    out.write("mld2.query", mld(*nodes, ICMPv6MLQuery2(mladdr="::", mrd=50), source=querier6))
    out.write("mld1.query", mld(*nodes, ICMPv6MLQuery(mladdr="::", mrd=50), source=querier6))
    out.write("mld2.query-slow", mld(*nodes, ICMPv6MLQuery2(mladdr="::", mrd=0x8001), source=querier6))  # 4097 * 2^3 ms
    out.write("mld1.query-slow", mld(*nodes, ICMPv6MLQuery(mladdr="::", mrd=60000), source=querier6))
    out.write("mld2.query-routed", mld(*nodes, ICMPv6MLQuery2(mladdr="::", mrd=50), source=(REMOTE_MAC[9], "fd00:31::9")))
    out.write("igmp3.query-broken", igmp(*everybody, IGMPv3(type=0x11, mrcode=1, chksum=0x1234) / IGMPv3mq(), source=querier))


def write_tunnel(out):
    def frame(source, destination, text):
        to = host_mac(destination) if destination else "ff:ff:ff:ff:ff:ff"
        return raw(Ether(src=host_mac(source), dst=to) / IP(src="10.5.0.1", dst="10.5.0.2") / UDP(sport=1, dport=2) / Raw(text))

    near_to_all, near_to_far = frame(0x31, 0, b"hello"), frame(0x31, 0x32, b"dear")
    far_to_all, far_to_near = frame(0x32, 0, b"who"), frame(0x32, 0x31, b"you")
    out.write("group.near-to-all", near_to_all)
    out.write("group.near-to-far", near_to_far)
    out.write("group.far-to-all", far_to_all)
    out.write("group.far-to-near", far_to_near)
    for family, group, mac in ((4, GROUP, GROUP_MAC), (6, GROUP6, GROUP6_MAC)):
        def multicast(inner, incoming, source=None, **fields):
            outer = encapsulated("vxlan", 300, inner, family=family, incoming=incoming,
                                 ip={"dst": group, "ttl" if family == 4 else "hlim": 5, **({"src": source} if source else {})},
                                 **fields)
            return bytes.fromhex(mac.replace(":", "")) + outer[6:]

        out.write(f"group{family}.near-to-all", multicast(near_to_all, False))
        out.write(f"group{family}.near-to-unknown", multicast(near_to_far, False))
        out.write(f"group{family}.near-to-far", encapsulated("vxlan", 300, near_to_far, family=family, incoming=False,
                                                             ip={"ttl" if family == 4 else "hlim": 5}))
        out.write(f"group{family}.far-to-all", multicast(far_to_all, True))
        for number, source in enumerate(NO_HOST[family]):
            out.write(f"group{family}.forged.{number}", multicast(far_to_all, True, source))
        out.write(f"group{family}.far-to-near", encapsulated("vxlan", 300, far_to_near, family=family))
        out.write(f"group{family}.other-vni", bytes.fromhex(mac.replace(":", "")) + encapsulated(
            "vxlan", 301, far_to_all, family=family, ip={"dst": group})[6:])
        too_big = encapsulated("vxlan", 300, near_to_far + bytes(1400), family=family, incoming=False)
        out.write(f"group{family}.router-says-1400", router_says(too_big, 1400, family=family))
        out.write(f"group{family}.three-to-all", multicast(far_to_all, True, remote=3))


def write_group(out):
    write_messages(out)
    write_tunnel(out)
