#!/usr/bin/python3
"""Every frame the pipeline tests send and expect, built by scapy. Usage: frames.py OUTPUT."""

import sys

from bindings_frames import write_bindings
from bridge_frames import write_bridge
from decap_frames import write_decap
from discovery_frames import write_discovery
from doctor_frames import write_doctor
from elephant_frames import write_elephants
from encap_frames import write_encap
from erspan_frames import write_erspan
from evpn_frames import write_evpn
from gre_sequence_frames import write_gre_sequence
from group_frames import write_group
from host_frames import write_host
from host_path_frames import write_host_path
from hosts_frames import write_hosts
from interfaces_frames import write_interfaces
from merged_frames import write_merged
from mtu_frames import write_mtu
from offload_frames import write_offload
from overlay_frames import Output
from refused_frames import write_refused
from routes_frames import write_routes
from vlan_frames import write_vlan


def main():
    with open(sys.argv[1], "w", encoding="ascii") as file:
        out = Output(file)
        write_decap(out)
        write_encap(out)
        write_bridge(out)
        write_host(out)
        write_discovery(out)
        write_doctor(out)
        write_mtu(out)
        write_group(out)
        write_offload(out)
        write_routes(out)
        write_vlan(out)
        write_gre_sequence(out)
        write_bindings(out)
        write_elephants(out)
        write_interfaces(out)
        write_refused(out)
        write_merged(out)
        write_erspan(out)
        write_evpn(out)
        write_host_path(out)
        write_hosts(out)


if __name__ == "__main__":
    main()
