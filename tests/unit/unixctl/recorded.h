// What ovs-vswitchd 3.1 (Debian 12) answered; made by record.py, which says what stood there.
#pragma once

namespace causeway::unixctl {

struct Exchange {
  const char* request;
  const char* answer;
};

// clang-format off
constexpr Exchange kExchanges[] = {
    {R"~({"id":0,"method":"version","params":[]})~",
     R"~({"id":0,"result":"ovs-vswitchd (Open vSwitch) 3.1.0\n","error":null})~"},
    {R"~({"id":0,"method":"foo","params":["bar"]})~",
     R"~({"id":0,"error":"\"foo\" is not a valid command (use \"list-commands\" to see a list of valid commands)\n"})~"},
    {R"~({"id":0,"method":"fdb/show","params":[]})~",
     R"~({"id":0,"error":"\"fdb/show\" command requires at least 1 arguments\n"})~"},
    {R"~({"id":0,"method":"fdb/show","params":["br0","br1"]})~",
     R"~({"id":0,"error":"\"fdb/show\" command takes at most 1 arguments\n"})~"},
    {R"~({"id":0,"method":"fdb/show","params":["none"]})~",
     R"~({"id":0,"error":"no such bridge\n"})~"},
    {R"~({"id":0,"method":"fdb/flush","params":["none"]})~",
     R"~({"id":0,"error":"no such bridge\n"})~"},
    {R"~({"id":0,"method":"fdb/stats-show","params":["none"]})~",
     R"~({"id":0,"error":"no such bridge\n"})~"},
    {R"~({"id":0,"method":"fdb/add","params":["none","p1","0","02:00:00:00:00:09"]})~",
     R"~({"id":0,"error":"no such bridge\n"})~"},
    {R"~({"id":0,"method":"fdb/add","params":["br0","none","0","02:00:00:00:00:09"]})~",
     R"~({"id":0,"error":"software error, odp port is present but no ofp port\n"})~"},
    {R"~({"id":0,"method":"fdb/add","params":["br0","p1","0","nonsense"]})~",
     R"~({"id":0,"error":"bad MAC address\n"})~"},
    {R"~({"id":0,"method":"fdb/del","params":["none","0","02:00:00:00:00:09"]})~",
     R"~({"id":0,"error":"no such bridge\n"})~"},
    {R"~({"id":0,"method":"fdb/del","params":["br0","0","02:00:00:00:00:09"]})~",
     R"~({"id":0,"error":"could not find static mac entry\n"})~"},
    {R"~({"id":0,"method":"fdb/del","params":["br0","0","nonsense"]})~",
     R"~({"id":0,"error":"bad MAC address\n"})~"},
    {R"~({"id":0,"method":"fdb/flush","params":[]})~",
     R"~({"id":0,"result":"table successfully flushed\n","error":null})~"},
    {R"~({"id":0,"method":"fdb/add","params":["br0","p2","0","02:00:00:00:00:03"]})~",
     R"~({"id":0,"result":"","error":null})~"},
    {R"~({"id":0,"method":"fdb/add","params":["br0","p1","0","02:00:00:00:00:03"]})~",
     R"~({"id":0,"result":"Overriding already existing static entry on 2\n","error":null})~"},
    {R"~({"id":0,"method":"fdb/add","params":["br0","p1","0","02:00:00:00:00:03"]})~",
     R"~({"id":0,"result":"","error":null})~"},
    {R"~({"id":0,"method":"fdb/add","params":["br0","p2","10","02:00:00:00:00:02"]})~",
     R"~({"id":0,"result":"Overriding already existing dynamic entry on 2\n","error":null})~"},
    {R"~({"id":0,"method":"fdb/del","params":["br0","10","02:00:00:00:00:02"]})~",
     R"~({"id":0,"result":"","error":null})~"},
    {R"~({"id":0,"method":"fdb/del","params":["br0","0","02:00:00:00:00:01"]})~",
     R"~({"id":0,"error":"could not find static mac entry\n"})~"},
    {R"~({"id":0,"method":"fdb/flush","params":["br0"]})~",
     R"~({"id":0,"result":"table successfully flushed\n","error":null})~"},
    {R"~({"id":0,"method":"dpctl/show","params":["none"]})~",
     R"~({"id":0,"error":"ovs-vswitchd: opening datapath none failed (Address family not supported by protocol)\n"})~"},
    {R"~({"id":0,"method":"vlog/set","params":[]})~",
     R"~({"id":0,"result":"","error":null})~"},
    {R"~({"id":0,"method":"vlog/set","params":["nonsense"]})~",
     R"~({"id":0,"error":"no destination, level, or module \"nonsense\"\n"})~"},
    {R"~({"id":0,"method":"vlog/set","params":["console:info:warn"]})~",
     R"~({"id":0,"error":"cannot specify multiple levels\n"})~"},
    {R"~({"id":0,"method":"vlog/set","params":["console:file:warn"]})~",
     R"~({"id":0,"error":"cannot specify multiple destinations\n"})~"},
    {R"~({"id":0,"method":"vlog/set","params":["ANY:console:info"]})~",
     R"~({"id":0,"result":"","error":null})~"},
};

constexpr const char* kFdbShow = R"~( port  VLAN  MAC                Age
    1     0  02:00:00:00:00:01   69
LOCAL     0  02:00:00:00:00:f0    3
    1     0  02:00:00:00:00:03  static
    2    10  02:00:00:00:00:02    2
)~";

constexpr const char* kFdbStatistics = R"~(Statistics for bridge "br0":
  Current/maximum MAC entries in the table: 4/8192
  Current static MAC entries in the table : 1
  Total number of learned MAC entries     : 4
  Total number of expired MAC entries     : 0
  Total number of evicted MAC entries     : 0
  Total number of port moved MAC entries  : 0
)~";

constexpr const char* kFdbShowFlushed = R"~( port  VLAN  MAC                Age
    1     0  02:00:00:00:00:03  static
)~";

constexpr const char* kFdbStatisticsFlushed = R"~(Statistics for bridge "br0":
  Current/maximum MAC entries in the table: 1/8192
  Current static MAC entries in the table : 1
  Total number of learned MAC entries     : 4
  Total number of expired MAC entries     : 0
  Total number of evicted MAC entries     : 0
  Total number of port moved MAC entries  : 0
)~";

constexpr const char* kDpifShow = R"~(dummy@ovs-dummy: hit:0 missed:4
  br0:
    br0 65534/100: (dummy-internal)
    p1 1/1: (dummy-pmd: configured_rx_queues=1, configured_tx_queues=1, requested_rx_queues=1, requested_tx_queues=1)
    p2 2/2: (dummy-pmd: configured_rx_queues=1, configured_tx_queues=1, requested_rx_queues=1, requested_tx_queues=1)
    tun0 7/6081: (geneve: key=123, remote_ip=172.31.0.2)
)~";

constexpr const char* kDpctlShow = R"~(dummy@ovs-dummy:
  lookups: hit:0 missed:4 lost:0
  flows: 2
  port 0: ovs-dummy (dummy-internal)
  port 1: p1 (dummy-pmd: configured_rx_queues=1, configured_tx_queues=1, requested_rx_queues=1, requested_tx_queues=1)
  port 2: p2 (dummy-pmd: configured_rx_queues=1, configured_tx_queues=1, requested_rx_queues=1, requested_tx_queues=1)
  port 100: br0 (dummy-internal)
  port 6081: genev_sys_6081 (geneve: packet_type=ptap)
)~";

constexpr const char* kDpctlShowStatistics = R"~(dummy@ovs-dummy:
  lookups: hit:0 missed:4 lost:0
  flows: 2
  port 0: ovs-dummy (dummy-internal)
    RX packets:0 errors:? dropped:? overruns:? frame:?
    TX packets:0 errors:? dropped:? aborted:? carrier:?
    collisions:?
    RX bytes:0  TX bytes:0
  port 1: p1 (dummy-pmd: configured_rx_queues=1, configured_tx_queues=1, requested_rx_queues=1, requested_tx_queues=1)
    RX packets:1 errors:? dropped:? overruns:? frame:?
    TX packets:3 errors:? dropped:? aborted:? carrier:?
    collisions:?
    RX bytes:14  TX bytes:50
  port 2: p2 (dummy-pmd: configured_rx_queues=1, configured_tx_queues=1, requested_rx_queues=1, requested_tx_queues=1)
    RX packets:2 errors:? dropped:? overruns:? frame:?
    TX packets:2 errors:? dropped:? aborted:? carrier:?
    collisions:?
    RX bytes:36  TX bytes:28
  port 100: br0 (dummy-internal)
    RX packets:1 errors:? dropped:? overruns:? frame:?
    TX packets:3 errors:? dropped:? aborted:? carrier:?
    collisions:?
    RX bytes:14  TX bytes:50
  port 6081: genev_sys_6081 (geneve: packet_type=ptap)
    RX packets:0 errors:? dropped:? overruns:? frame:?
    TX packets:0 errors:? dropped:? aborted:? carrier:?
    collisions:?
    RX bytes:0  TX bytes:0
)~";

constexpr const char* kNeighbors = R"~(IP                                            MAC                 Bridge
==========================================================================
172.31.0.2                                    02:00:00:00:00:02   br0
fd00:31::2                                    02:00:00:00:00:02   br0
)~";

constexpr const char* kRoutes = R"~(Route Table:
User: 172.31.0.0/24 dev br0 SRC 172.31.0.1
User: 10.0.0.0/8 dev br0 GW 172.31.0.9 SRC 172.31.0.1
)~";

constexpr const char* kQueues = R"~(Displaying last 60 seconds pmd usage %
pmd thread numa_id 0 core_id 1:
  isolated : false
  port: p1                queue-id:  0 (enabled)   pmd usage:  0 %
  port: p2                queue-id:  0 (enabled)   pmd usage:  0 %
  overhead:  0 %
)~";

constexpr const char* kPmdStatistics = R"~(pmd thread numa_id 0 core_id 1:
  packets received: 3
  packet recirculations: 0
  avg. datapath passes per packet: 1.00
  phwol hits: 0
  mfex opt hits: 0
  simple match hits: 0
  emc hits: 0
  smc hits: 0
  megaflow hits: 0
  avg. subtable lookups per megaflow hit: 0.00
  miss with success upcall: 3
  miss with failed upcall: 0
  avg. packets per output batch: 1.00
  idle cycles: 2177156926 (99.72%)
  processing cycles: 6086583 (0.28%)
  avg cycles per packet: 727747836.33 (2183243509/3)
  avg processing cycles per packet: 2028861.00 (6086583/3)
main thread:
  packets received: 1
  packet recirculations: 0
  avg. datapath passes per packet: 1.00
  phwol hits: 0
  mfex opt hits: 0
  simple match hits: 0
  emc hits: 0
  smc hits: 0
  megaflow hits: 0
  avg. subtable lookups per megaflow hit: 0.00
  miss with success upcall: 1
  miss with failed upcall: 0
  avg. packets per output batch: 1.00
)~";

constexpr const char* kCoverage = R"~(Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=476e2b25:
netdev_received            0.4/sec     0.033/sec        0.0011/sec   total: 4
netdev_sent                0.8/sec     0.067/sec        0.0022/sec   total: 8
netdev_get_stats           0.8/sec     0.800/sec        0.0156/sec   total: 56
113 events never hit
)~";

constexpr const char* kMemory = R"~(handlers:1 idl-cells-Open_vSwitch:267 ports:4 revalidators:1 rules:5 udpif keys:1
)~";

constexpr const char* kCommands = R"~(The available commands are:
  coverage/show           
  dpctl/show              [-s] [dp...]
  dpif-netdev/pmd-rxq-show [-pmd core] [-secs secs] [dp]
  dpif-netdev/pmd-stats-show [-pmd core] [dp]
  dpif/show               
  exit                    [--cleanup]
  fdb/add                 bridge port vlan mac
  fdb/del                 bridge vlan mac
  fdb/flush               [bridge]
  fdb/show                bridge
  fdb/stats-show          bridge
  list-commands           
  memory/show             
  ovs/route/show          
  tnl/neigh/show          
  version                 
  vlog/set                {spec | PATTERN:destination:pattern}
)~";
// clang-format on

}  // namespace causeway::unixctl
