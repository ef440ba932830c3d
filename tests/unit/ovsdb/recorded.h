// What ovsdb-server 3.1 (schema 8.3.1) told of the same commands of ovs-vsctl, as it came; UUIDs are shortened.
#pragma once

namespace causeway::ovsdb::test {

// Of monitor_cond_since, from an empty database on.
constexpr const char* kUpdate3[] = {
    R"({"id":null,"method":"update3","params":["cw","0",{"Open_vSwitch":{"u1":{"insert":{}}}}]})",
    R"({"id":null,"method":"update3","params":["cw","0",{"Bridge":{"u2":{"insert":{"fail_mode":"secure","name":"br0","other_config":["map",[["a","1"],["b","2"]]],"ports":["uuid","u3"]}}},"Interface":{"u4":{"insert":{"name":"br0","type":"internal"}}},"Open_vSwitch":{"u1":{"modify":{"bridges":["uuid","u2"]}}},"Port":{"u3":{"insert":{"interfaces":["uuid","u4"],"name":"br0"}}}}]})",
    R"({"id":null,"method":"update3","params":["cw","0",{"Bridge":{"u2":{"modify":{"ports":["uuid","u5"]}}},"Interface":{"u6":{"insert":{"name":"p1","options":["map",[["key","5"],["remote_ip","10.0.0.1"]]],"type":"vxlan"}}},"Port":{"u5":{"insert":{"interfaces":["uuid","u6"],"name":"p1"}}}}]})",
    R"({"id":null,"method":"update3","params":["cw","0",{"Port":{"u5":{"modify":{"tag":7,"trunks":["set",[1,2]]}}}}]})",
    R"({"id":null,"method":"update3","params":["cw","0",{"Port":{"u5":{"modify":{"tag":8,"trunks":["set",[1,3,4]]}}}}]})",
    R"({"id":null,"method":"update3","params":["cw","0",{"Port":{"u5":{"modify":{"tag":["set",[]]}}}}]})",
    R"({"id":null,"method":"update3","params":["cw","0",{"Interface":{"u6":{"modify":{"mtu_request":1400,"options":["map",[["csum","true"],["key","6"],["remote_ip","10.0.0.1"]]]}}}}]})",
    R"({"id":null,"method":"update3","params":["cw","0",{"Interface":{"u6":{"modify":{}}}}]})",
    R"({"id":null,"method":"update3","params":["cw","0",{"Bridge":{"u2":{"modify":{"fail_mode":["set",[]],"other_config":["map",[["a","1"],["b","2"]]]}}}}]})",
    R"({"id":null,"method":"update3","params":["cw","0",{"QoS":{"u7":{"insert":{"queues":["map",[[3,["uuid","u8"]]]],"type":"linux-htb"}}},"Queue":{"u8":{"insert":{"dscp":1}}}}]})",
    R"({"id":null,"method":"update3","params":["cw","0",{"Open_vSwitch":{"u1":{"modify":{"external_ids":["map",[["x","a\"b\\c{é"]]]}}}}]})",
    R"({"id":null,"method":"update3","params":["cw","0",{"Bridge":{"u2":{"delete":null}},"Interface":{"u4":{"delete":null},"u6":{"delete":null}},"Open_vSwitch":{"u1":{"modify":{"bridges":["uuid","u2"]}}},"Port":{"u5":{"delete":null},"u3":{"delete":null}}}]})",
};

// Of monitor (RFC 7047), from the root row on; the first is its dump.
constexpr const char* kUpdate[] = {
    R"({"id":3,"result":{"QoS":{"u1":{"new":{"queues":["map",[[3,["uuid","u2"]]]],"type":"linux-htb"}},"u3":{"new":{"queues":["map",[[3,["uuid","u4"]]]],"type":"linux-htb"}}},"Queue":{"u4":{"new":{"dscp":1}},"u2":{"new":{"dscp":1}}},"Open_vSwitch":{"u5":{"new":{"bridges":["set",[]],"external_ids":["map",[["x","a\"b\\c{é"]]],"cur_cfg":0,"next_cfg":0}}}},"error":null})",
    R"({"id":null,"method":"update","params":["cw",{"Interface":{"u6":{"new":{"name":"br0","mtu_request":["set",[]],"options":["map",[]],"type":"internal"}}},"Port":{"u7":{"new":{"name":"br0","interfaces":["uuid","u6"],"tag":["set",[]],"trunks":["set",[]]}}},"Bridge":{"u8":{"new":{"name":"br0","ports":["uuid","u7"],"fail_mode":"secure","other_config":["map",[["a","1"],["b","2"]]]}}},"Open_vSwitch":{"u5":{"new":{"bridges":["uuid","u8"],"external_ids":["map",[["x","a\"b\\c{é"]]],"next_cfg":0},"old":{"bridges":["set",[]]}}}}]})",
    R"({"id":null,"method":"update","params":["cw",{"Interface":{"u9":{"new":{"name":"p1","mtu_request":["set",[]],"options":["map",[["key","5"],["remote_ip","10.0.0.1"]]],"type":"vxlan"}}},"Port":{"u10":{"new":{"name":"p1","interfaces":["uuid","u9"],"tag":["set",[]],"trunks":["set",[]]}}},"Bridge":{"u8":{"new":{"name":"br0","ports":["set",[["uuid","u7"],["uuid","u10"]]],"fail_mode":"secure","other_config":["map",[["a","1"],["b","2"]]]},"old":{"ports":["uuid","u7"]}}}}]})",
    R"({"id":null,"method":"update","params":["cw",{"Port":{"u10":{"new":{"name":"p1","interfaces":["uuid","u9"],"tag":7,"trunks":["set",[1,2]]},"old":{"trunks":["set",[]],"tag":["set",[]]}}}}]})",
    R"({"id":null,"method":"update","params":["cw",{"Port":{"u10":{"new":{"name":"p1","interfaces":["uuid","u9"],"tag":8,"trunks":["set",[2,3,4]]},"old":{"trunks":["set",[1,2]],"tag":7}}}}]})",
    R"({"id":null,"method":"update","params":["cw",{"Port":{"u10":{"new":{"name":"p1","interfaces":["uuid","u9"],"tag":["set",[]],"trunks":["set",[2,3,4]]},"old":{"tag":8}}}}]})",
    R"({"id":null,"method":"update","params":["cw",{"Interface":{"u9":{"new":{"name":"p1","mtu_request":1400,"options":["map",[["csum","true"],["key","6"]]],"type":"vxlan"},"old":{"mtu_request":["set",[]],"options":["map",[["key","5"],["remote_ip","10.0.0.1"]]]}}}}]})",
    R"({"id":null,"method":"update","params":["cw",{"Interface":{"u9":{"new":{"name":"p1","mtu_request":1400,"options":["map",[["csum","true"],["key","6"]]],"type":"vxlan"},"old":{}}}}]})",
    R"({"id":null,"method":"update","params":["cw",{"Bridge":{"u8":{"new":{"name":"br0","ports":["set",[["uuid","u7"],["uuid","u10"]]],"fail_mode":["set",[]],"other_config":["map",[]]},"old":{"fail_mode":"secure","other_config":["map",[["a","1"],["b","2"]]]}}}}]})",
    R"({"id":null,"method":"update","params":["cw",{"QoS":{"u11":{"new":{"queues":["map",[[3,["uuid","u12"]]]],"type":"linux-htb"}}},"Queue":{"u12":{"new":{"dscp":1}}}}]})",
    R"({"id":null,"method":"update","params":["cw",{"Interface":{"u9":{"old":{"name":"p1","mtu_request":1400,"options":["map",[["csum","true"],["key","6"]]],"type":"vxlan"}},"u6":{"old":{"name":"br0","mtu_request":["set",[]],"options":["map",[]],"type":"internal"}}},"Port":{"u10":{"old":{"name":"p1","interfaces":["uuid","u9"],"tag":["set",[]],"trunks":["set",[2,3,4]]}},"u7":{"old":{"name":"br0","interfaces":["uuid","u6"],"tag":["set",[]],"trunks":["set",[]]}}},"Bridge":{"u8":{"old":{"name":"br0","ports":["set",[["uuid","u7"],["uuid","u10"]]],"fail_mode":["set",[]],"other_config":["map",[]]}}},"Open_vSwitch":{"u5":{"new":{"bridges":["set",[]],"external_ids":["map",[["x","a\"b\\c{é"]]],"next_cfg":0},"old":{"bridges":["uuid","u8"]}}}}]})",
};

// What monitor_cond answered to the database at the end of those.
constexpr const char* kDump =
    R"({"id":3,"result":{"Open_vSwitch":{"u1":{"initial":{"external_ids":["map",[["x","a\"b\\c{é"]]]}}},"QoS":{"u2":{"initial":{"queues":["map",[[3,["uuid","u3"]]]],"type":"linux-htb"}}},"Queue":{"u3":{"initial":{"dscp":1}}}},"error":null})";

}  // namespace causeway::ovsdb::test
