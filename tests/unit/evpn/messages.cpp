// Messages of neighbor tables, held against the kernel and iproute2: what `bridge` and `ip` make is what we read, and
// what we send is what they show. Needs root.
#include <linux/neighbour.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "control/evpn/neighbor_messages.h"
#include "control/evpn/zebra_restarts.h"
#include "tests/catch.h"
#include "tests/unit/evpn/bed.h"

using namespace causeway;
using namespace causeway::test;

namespace {

// A bridge br0 with a vxlan device vx0 and a port p0, in a namespace of its own.
struct Devices {
  Devices() {
    ns.run("ip link add br0 up type bridge mcast_snooping 0");
    ns.run("ip link add vx0 up master br0 type vxlan id 7 local 192.0.2.1 dstport 64789 nolearning");
    ns.run("ip tuntap add p0 mode tap && ip link set p0 up master br0");
    ns.inside([this] { events = open_netlink(SOCK_NONBLOCK, RTMGRP_NEIGH); });
    REQUIRE(events.valid());
  }

  int index(const std::string& name) const {
    int found = 0;
    ns.inside([&] { found = static_cast<int>(if_nametoindex(name.c_str())); });
    return found;
  }

  // What the kernel has told since the last call, of `interface`.
  std::vector<NeighborEntry> told(const std::string& interface) const {
    std::vector<NeighborEntry> entries;
    alignas(nlmsghdr) std::array<char, kNetlinkAnswerBytes> room;
    for (ssize_t bytes = 0; (bytes = recv(events.get(), room.data(), room.size(), 0)) > 0;) {
      const auto entry = read_neighbor(reinterpret_cast<const nlmsghdr*>(room.data()));
      if (entry && entry->interface == index(interface)) entries.push_back(*entry);
    }
    return entries;
  }

  // 0, or the kernel's error.
  int send_to_kernel(const NeighborEntry& entry) const {
    NetlinkRequest room{};
    nlmsghdr* const message = put_neighbor(room, entry);
    message->nlmsg_flags |= NLM_F_ACK;
    int error = -1;
    ns.inside([&] {
      const FileDescriptor fd = open_netlink(0, 0);
      REQUIRE(send(fd.get(), message, message->nlmsg_len, 0) > 0);
      alignas(nlmsghdr) std::array<char, kNetlinkAnswerBytes> answer;
      REQUIRE(recv(fd.get(), answer.data(), answer.size(), 0) > 0);
      error =
          static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(reinterpret_cast<const nlmsghdr*>(answer.data())))->error;
    });
    return -error;
  }

  Namespace ns;
  FileDescriptor events;
};

constexpr MacAddress kMac{{0x02, 0, 0, 0, 0, 0x11}};
const IpAddress kVtep4 = IpAddress::v4(192, 0, 2, 9);

}  // namespace

TEST_CASE("what a routing daemon does, as the kernel tells it") {
  const Devices devices;
  devices.told("vx0");

  SECTION("a remote MAC: an entry of the bridge, and one of the vxlan device's own with its VTEP") {
    devices.ns.run("bridge fdb replace 02:00:00:00:00:11 dev vx0 dst 192.0.2.9 self master dynamic extern_learn");
    const auto entries = devices.told("vx0");
    REQUIRE(entries.size() == 2);
    for (const NeighborEntry& entry : entries) {
      CHECK_FALSE(entry.gone);
      CHECK(entry.family == AF_BRIDGE);
      CHECK(entry.mac == kMac);
      const bool self = (entry.flags & NTF_SELF) != 0;
      CHECK((entry.flags & NTF_EXT_LEARNED) != 0);
      CHECK((entry.state & NUD_REACHABLE) != 0);
      CHECK(entry.to == (self ? kVtep4 : IpAddress{}));
      CHECK(entry.age_cs < 6000);
    }
    CHECK(((entries[0].flags ^ entries[1].flags) & NTF_SELF) != 0);
    devices.ns.run("bridge fdb del 02:00:00:00:00:11 dev vx0 master");
    const auto gone = devices.told("vx0");
    REQUIRE(gone.size() == 1);
    CHECK(gone[0].gone);
    CHECK(gone[0].mac == kMac);
  }
  SECTION("a VTEP that wants floods") {
    devices.ns.run("bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.9 self permanent");
    const auto entries = devices.told("vx0");
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].mac.is_zero());
    CHECK((entries[0].flags & NTF_SELF) != 0);
    CHECK(entries[0].to == kVtep4);
  }
  SECTION("hosts") {
    devices.ns.run("ip neigh replace 10.0.0.5 lladdr 02:00:00:00:00:11 dev br0 nud noarp extern_learn");
    const auto entries = devices.told("br0");
    REQUIRE_FALSE(entries.empty());
    CHECK(entries.back().family == AF_INET);
    CHECK(entries.back().to == IpAddress::v4(10, 0, 0, 5));
    CHECK(entries.back().mac == kMac);
    CHECK((entries.back().flags & NTF_EXT_LEARNED) != 0);
    devices.ns.run("ip neigh replace fd00::5 lladdr 02:00:00:00:00:11 dev br0 nud noarp extern_learn");
    const auto six = devices.told("br0");
    REQUIRE_FALSE(six.empty());
    CHECK(six.back().family == AF_INET6);
    CHECK(six.back().to.is_v6());
    CHECK(six.back().to.bytes[15] == 5);
  }
}

TEST_CASE("what we send, as iproute2 shows it") {
  const Devices devices;
  NeighborEntry entry;
  entry.family = AF_BRIDGE;
  entry.interface = devices.index("p0");
  entry.mac = kMac;
  const auto fdb = [&](const std::string& device) {
    return output(devices.ns, "bridge fdb show dev " + device + " | grep 02:00:00:00:00:11");
  };

  SECTION("a local MAC, which never ages") {
    entry.flags = NTF_MASTER | NTF_EXT_LEARNED;
    entry.state = NUD_REACHABLE;
    CHECK(devices.send_to_kernel(entry) == 0);
    CHECK(has(fdb("p0"), "extern_learn"));
    CHECK_FALSE(has(fdb("p0"), "permanent"));
    entry.gone = true;
    CHECK(devices.send_to_kernel(entry) == 0);
    CHECK(fdb("p0").empty());
    CHECK(devices.send_to_kernel(entry) == ENOENT);
  }
  SECTION("a sticky one") {
    entry.flags = NTF_MASTER | NTF_STICKY;
    entry.state = NUD_NOARP | NUD_REACHABLE;
    CHECK(devices.send_to_kernel(entry) == 0);
    CHECK(has(fdb("p0"), "sticky"));
    CHECK(has(fdb("p0"), "static"));
  }
  SECTION("the vxlan device's own entry of a VTEP goes") {
    devices.ns.run("bridge fdb replace 02:00:00:00:00:11 dev vx0 dst 192.0.2.9 self dynamic extern_learn");
    CHECK(has(fdb("vx0"), "dst 192.0.2.9"));
    entry.interface = devices.index("vx0");
    entry.flags = NTF_SELF;
    entry.to = kVtep4;
    entry.gone = true;
    CHECK(devices.send_to_kernel(entry) == 0);
    CHECK(fdb("vx0").empty());
  }
  SECTION("a host") {
    entry.family = AF_INET;
    entry.interface = devices.index("br0");
    entry.to = IpAddress::v4(10, 0, 0, 5);
    entry.state = NUD_PERMANENT;
    CHECK(devices.send_to_kernel(entry) == 0);
    const std::string shown = "ip neigh show dev br0 nud permanent";
    CHECK(has(output(devices.ns, shown), "10.0.0.5 lladdr 02:00:00:00:00:11 PERMANENT"));
    entry.gone = true;
    CHECK(devices.send_to_kernel(entry) == 0);
    CHECK_FALSE(has(output(devices.ns, shown), "10.0.0.5"));
  }
}

TEST_CASE("a message cut short is none") {
  NetlinkRequest room{};
  nlmsghdr* const message = put_header(room, RTM_NEWNEIGH, 0);
  CHECK_FALSE(read_neighbor(message));
  mnl_nlmsg_put_extra_header(message, sizeof(ndmsg));
  CHECK(read_neighbor(message));
  message->nlmsg_type = RTM_NEWLINK;
  CHECK_FALSE(read_neighbor(message));
}

// Lines of /proc/net/netlink as Linux 6.1 prints them.
TEST_CASE("who follows neighbors") {
  std::istringstream list(
      "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
      "000000004c89d780 0   0          00000000 0        0        0     2        0        4       \n"
      "00000000f8a9accd 0   1574       00000444 0        0        0     2        0        1001    \n"
      "000000001fd49394 16  1575       00000004 0        0        0     2        0        1002    \n"
      "000000001fd49395 0   1576       00000451 0        0        0     2        0        1003    \n"
      "000000001fd49396 0   1577       00000004 0        0        0     2        0        1004    \n");
  CHECK(neighbor_followers(list) == std::set<uint64_t>{1001, 1004});
}

TEST_CASE("somebody who begins to follow neighbors is noticed once") {
  const Namespace ns;
  ns.inside([] {
    ZebraRestarts restarts;
    CHECK_FALSE(restarts.look());
    CHECK_FALSE(restarts.look());
    FileDescriptor links = open_netlink(0, RTMGRP_LINK);
    CHECK_FALSE(restarts.look());
    FileDescriptor neighbors = open_netlink(0, RTMGRP_NEIGH);
    CHECK(restarts.look());
    CHECK_FALSE(restarts.look());
  });
}
