// The kernel's side of a fabric, with a real kernel; `bridge fdb` and `ip neigh` are the routing daemon. Needs root.
#include "control/evpn/kernel_fabric.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/config/address_text.h"
#include "tests/catch.h"
#include "tests/unit/evpn/bed.h"

using namespace causeway;
using namespace causeway::test;

namespace {

constexpr MacAddress kMac{{0x02, 0, 0, 0, 0, 0x11}};
const std::string kMacText = "02:00:00:00:00:11";
const IpAddress kLocal = IpAddress::v4(192, 0, 2, 1);
const IpAddress kHost = IpAddress::v4(10, 0, 0, 5);

// Writes down what it hears, as text.
struct Listener final : FabricListener {
  std::vector<std::string> heard;

  void remote_mac(uint32_t vni, MacAddress mac, IpAddress vtep, bool sticky) override {
    heard.push_back(std::to_string(vni) + " mac " + to_string(mac) + " " + to_string(vtep) + (sticky ? " sticky" : ""));
  }
  void remote_mac_gone(uint32_t vni, MacAddress mac) override {
    heard.push_back(std::to_string(vni) + " mac gone " + to_string(mac));
  }
  void remote_host(uint32_t vni, IpAddress ip, MacAddress mac) override {
    heard.push_back(std::to_string(vni) + " host " + to_string(ip) + " " + to_string(mac));
  }
  void remote_host_gone(uint32_t vni, IpAddress ip) override {
    heard.push_back(std::to_string(vni) + " host gone " + to_string(ip));
  }
  void vtep(uint32_t vni, IpAddress vtep) override {
    heard.push_back(std::to_string(vni) + " vtep " + to_string(vtep));
  }
  void vtep_gone(uint32_t vni, IpAddress vtep) override {
    heard.push_back(std::to_string(vni) + " vtep gone " + to_string(vtep));
  }
};

using Heard = std::vector<std::string>;

// A gateway's side in a namespace of its own.
struct Bed {
  Bed() { start(); }
  ~Bed() {
    ns.inside([this] { kernel.reset(); });
  }

  // A process after another: devices and entries stay.
  void start() {
    ns.inside([this] {
      kernel.reset();
      kernel = std::make_unique<KernelFabric>(listener);
    });
    REQUIRE(kernel->descriptor() >= 0);
  }
  Error add(uint32_t vni, const IpAddress& local = kLocal) {
    Error error;
    ns.inside([&] { error = kernel->add(vni, local); });
    return error;
  }

  // What is heard until nothing more is to be done.
  Heard hear() {
    ns.inside([this] {
      // Twice: what a turn sends, the next one hears of.
      for (int turn = 0; turn < 2 || (!kernel->idle() && turn < 10000); ++turn) kernel->serve();
    });
    CHECK(kernel->idle());
    return std::exchange(listener.heard, {});
  }
  Heard after(const std::string& command) {
    ns.run(command);
    return hear();
  }
  std::string fdb(const std::string& device) const {
    return output(ns, "bridge fdb show dev " + device + " | grep " + kMacText);
  }

  Namespace ns;
  Listener listener;
  std::unique_ptr<KernelFabric> kernel;
};

std::string type_2(const std::string& vtep, const std::string& kind = "dynamic extern_learn") {
  return "bridge fdb replace " + kMacText + " dev cwv100 dst " + vtep + " self master " + kind;
}
const std::string kWithdrawn = "bridge fdb del " + kMacText + " dev cwv100 dst 192.0.2.9 self && bridge fdb del " +
                               kMacText + " dev cwv100 master";

}  // namespace

TEST_CASE("shadow devices are as a routing daemon wants them") {
  Bed bed;
  SECTION("over IPv4") {
    CHECK(bed.add(100).text() == "");
    CHECK(has(output(bed.ns, "ip -d link show cwv100"), "vxlan id 100 local 192.0.2.1"));
  }
  SECTION("over IPv6") {
    const std::array<uint8_t, 16> six{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    CHECK(bed.add(100, IpAddress::v6(six.data())).text() == "");
    CHECK(has(output(bed.ns, "ip -d link show cwv100"), "vxlan id 100 local fd00::1"));
  }
  const std::string vxlan = output(bed.ns, "ip -d link show cwv100");
  CHECK(has(vxlan, "nolearning"));
  CHECK(has(vxlan, "dstport 64789"));
  CHECK(has(vxlan, "learning off"));
  CHECK(has(vxlan, "neigh_suppress on"));
  CHECK(has(vxlan, "master cwb100"));
  CHECK(has(vxlan, "LOWER_UP"));
  const std::string port = output(bed.ns, "ip -d link show cwp100");
  CHECK(has(port, "tun type tap"));
  CHECK(has(port, "persist on"));
  CHECK(has(port, "learning off"));
  CHECK(has(port, "master cwb100"));
  const std::string bridge = output(bed.ns, "ip -d link show cwb100");
  CHECK(has(bridge, "NOARP"));
  CHECK(has(bridge, "mcast_snooping 0"));
  CHECK(output(bed.ns, "ip -6 addr show").find("fe80") == std::string::npos);
  // Who has a device of such a name already keeps it.
  bed.ns.run("ip link add cwb101 type bridge");
  CHECK(has(bed.add(101).text(), "cwb101"));
  CHECK(has(output(bed.ns, "ip -d link show cwb101"), "bridge "));
  CHECK(output(bed.ns, "ip link show cwv101 2>/dev/null").empty());
}

TEST_CASE("what a routing daemon writes is heard") {
  Bed bed;
  REQUIRE(!bed.add(100));
  CHECK(bed.hear().empty());
  CHECK(bed.after("bridge fdb append 00:00:00:00:00:00 dev cwv100 dst 192.0.2.9 self permanent") ==
        Heard{"100 vtep 192.0.2.9"});
  CHECK(bed.after(type_2("192.0.2.9")) == Heard{"100 mac 02:00:00:00:00:11 192.0.2.9"});
  CHECK(bed.after(type_2("192.0.2.9")).empty());
  CHECK(bed.after(type_2("192.0.2.10")) == Heard{"100 mac 02:00:00:00:00:11 192.0.2.10"});
  CHECK(bed.after(type_2("192.0.2.9", "static sticky")) == Heard{"100 mac 02:00:00:00:00:11 192.0.2.9 sticky"});
  CHECK(bed.kernel->find(100)->remote_macs == 1);
  CHECK(bed.after(kWithdrawn) == Heard{"100 mac gone 02:00:00:00:00:11"});
  CHECK(bed.kernel->find(100)->macs.empty());
  CHECK(bed.after("ip neigh replace 10.0.0.5 lladdr 02:00:00:00:00:11 dev cwb100 nud noarp extern_learn") ==
        Heard{"100 host 10.0.0.5 02:00:00:00:00:11"});
  CHECK(bed.after("ip neigh del 10.0.0.5 dev cwb100") == Heard{"100 host gone 10.0.0.5"});
  CHECK(bed.after("bridge fdb del 00:00:00:00:00:00 dev cwv100 dst 192.0.2.9 self") ==
        Heard{"100 vtep gone 192.0.2.9"});
  CHECK(bed.kernel->find(100)->remote_macs == 0);
}

TEST_CASE("local MACs and hosts are written, and go again") {
  Bed bed;
  REQUIRE(!bed.add(100));
  bed.kernel->advertise(100, kMac, false);
  bed.kernel->advertise_host(100, kHost, kMac);
  CHECK(bed.hear().empty());
  CHECK(has(bed.fdb("cwp100"), "extern_learn"));
  CHECK(has(output(bed.ns, "ip neigh show dev cwb100 nud all"), "10.0.0.5 lladdr 02:00:00:00:00:11"));
  CHECK_FALSE(has(output(bed.ns, "ip neigh show dev cwb100 nud all"), "extern_learn"));
  CHECK(bed.kernel->find(100)->local_macs == 1);
  CHECK(bed.kernel->find(100)->local_hosts == 1);
  bed.kernel->advertise(100, kMac, true);
  bed.hear();
  CHECK(has(bed.fdb("cwp100"), "sticky"));
  bed.kernel->advertise(100, kMac, false);
  bed.hear();
  CHECK_FALSE(has(bed.fdb("cwp100"), "sticky"));
  // Somebody else takes it away: it comes back.
  CHECK(bed.after("bridge fdb del " + kMacText + " dev cwp100 master").empty());
  CHECK(has(bed.fdb("cwp100"), "extern_learn"));
  bed.kernel->withdraw(100, kMac);
  bed.kernel->withdraw_host(100, kHost);
  CHECK(bed.hear().empty());
  CHECK(bed.fdb("cwp100").empty());
  CHECK_FALSE(has(output(bed.ns, "ip neigh show dev cwb100 nud permanent"), "10.0.0.5"));
  CHECK(bed.kernel->counts().refused == 0);
}

TEST_CASE("a MAC moves between here and elsewhere, twenty times") {
  Bed bed;
  REQUIRE(!bed.add(100));
  for (int i = 0; i < 20; ++i) {
    CAPTURE(i);
    // There: the daemon writes over ours.
    CHECK(bed.after(type_2("192.0.2.9")) == Heard{"100 mac 02:00:00:00:00:11 192.0.2.9"});
    bed.kernel->withdraw(100, kMac);
    CHECK(bed.hear().empty());
    CHECK(has(bed.fdb("cwv100"), "dst 192.0.2.9"));
    // Here again: nothing of it is left behind.
    bed.kernel->advertise(100, kMac, false);
    CHECK(bed.hear().empty());
    CHECK(bed.fdb("cwv100").empty());
    CHECK(has(bed.fdb("cwp100"), "extern_learn"));
  }
  CHECK(bed.kernel->find(100)->remote_macs == 0);
  CHECK(bed.kernel->counts().refused == 0);
}

TEST_CASE("a sticky MAC of another's is left alone until it has gone") {
  Bed bed;
  REQUIRE(!bed.add(100));
  bed.after(type_2("192.0.2.9", "static sticky"));
  bed.kernel->advertise(100, kMac, false);
  CHECK(bed.hear().empty());
  CHECK(bed.fdb("cwp100").empty());
  CHECK(has(bed.fdb("cwv100"), "dst 192.0.2.9"));
  CHECK(bed.after(kWithdrawn) == Heard{"100 mac gone 02:00:00:00:00:11"});
  bed.hear();
  CHECK(has(bed.fdb("cwp100"), "extern_learn"));
}

TEST_CASE("the next process finds devices and entries, and hears of all that is another's") {
  Bed bed;
  REQUIRE(!bed.add(100));
  bed.after("bridge fdb append 00:00:00:00:00:00 dev cwv100 dst 192.0.2.9 self permanent");
  bed.after(type_2("192.0.2.9"));
  bed.after("ip neigh replace 10.0.0.5 lladdr 02:00:00:00:00:11 dev cwb100 nud noarp extern_learn");
  constexpr MacAddress kOurs{{0x02, 0, 0, 0, 0, 0x22}};
  bed.kernel->advertise(100, kOurs, false);
  bed.hear();
  const std::string before = output(bed.ns, "ip link show cwv100");
  bed.start();
  REQUIRE(!bed.add(100));
  Heard heard = bed.hear();
  std::ranges::sort(heard);
  CHECK(heard ==
        Heard{"100 host 10.0.0.5 02:00:00:00:00:11", "100 mac 02:00:00:00:00:11 192.0.2.9", "100 vtep 192.0.2.9"});
  CHECK(output(bed.ns, "ip link show cwv100") == before);
  CHECK(bed.kernel->find(100)->macs.at(kOurs).on_port);
  bed.kernel->advertise(100, kOurs, false);
  CHECK(bed.kernel->idle());
  // With another address they are made anew, and nothing is left of what was in them.
  bed.start();
  REQUIRE(!bed.add(100, IpAddress::v4(192, 0, 2, 2)));
  CHECK(bed.hear().empty());
  CHECK(has(output(bed.ns, "ip -d link show cwv100"), "local 192.0.2.2"));
}

TEST_CASE("what a dump lacks twice is gone, and lost events are found") {
  Bed bed;
  REQUIRE(!bed.add(100));
  bed.after(type_2("192.0.2.9"));
  // More at once than any buffer of events holds, while nobody reads.
  bed.ns.run(
      "seq 1 60000 | awk '{ printf \"fdb replace 02:01:00:%02x:%02x:00 dev cwv100 dst 192.0.2.7 self master dynamic "
      "extern_learn\\n\", $1 / 256, $1 % 256 }' | bridge -batch -");
  bed.ns.run(kWithdrawn);
  Heard heard = bed.hear();
  CHECK(bed.kernel->counts().overruns > 0);
  CHECK(bed.kernel->counts().dumps >= 2);
  CHECK(std::ranges::count(heard, std::string("100 mac gone 02:00:00:00:00:11")) == 1);
  CHECK(bed.kernel->find(100)->remote_macs == 60000);
  CHECK(bed.kernel->find(100)->macs.size() == 60000);
}

TEST_CASE("VNIs go, one or all, and can come back at once") {
  Bed bed;
  for (uint32_t vni = 1; vni <= 20; ++vni) REQUIRE(!bed.add(vni));
  bed.ns.inside([&] {
    for (uint32_t vni = 1; vni <= 10; ++vni) bed.kernel->remove(vni);
  });
  REQUIRE(!bed.add(10));
  CHECK(has(output(bed.ns, "ip link show cwv10"), "cwv10"));
  CHECK(bed.kernel->all().size() == 11);
  bed.ns.inside([&] { bed.kernel->remove_all(); });
  CHECK(output(bed.ns, "ip -o link | grep cw").empty());
}
