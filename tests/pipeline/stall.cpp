// What one party on the underlay sends must not cost the others their neighbors, their buffers or the control thread.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "control/view/view.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/ethernet.h"
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

using nlohmann::json;

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }

std::string topology(unsigned tunnels, const std::string& remote = "172.31.0.2", const std::string& system = "") {
  std::string yaml = "version: 1\n" + system + R"(
ethernets:
  lan0: {}
  up0: {macaddress: 02:00:00:00:00:01, addresses: [172.31.0.1/24]}
bridges:
  br0: {interfaces: [lan0, gn0]}
tunnels:
)";
  for (unsigned i = 0; i < tunnels; ++i) {
    yaml += fmt::format("  gn{}: {{mode: geneve, id: {}, local: 172.31.0.1, remote: {}}}\n", i, 50 + i, remote);
  }
  return yaml;
}

json neighbor(Bed& bed) { return show(bed.gateway(), "neighbors")[0]; }

// Who asks for our address: number `number` of many.
Bytes asked_by(uint16_t number) {
  Bytes bytes = frame("arp.asks-us.3");
  auto* arp = reinterpret_cast<ArpPacket*>(bytes.data() + sizeof(EthernetHeader));
  arp->sender_ip = be32(0xac1f0000U + 256U + number);
  bytes[10] = static_cast<uint8_t>(number >> 8);  // of the source MAC
  bytes[11] = static_cast<uint8_t>(number);
  return bytes;
}

}  // namespace

TEST_CASE("stall: two MACs in turn change a neighbor once a second, and each tunnel behind it once") {
  Bed bed(topology(300));
  bed.send("up0", frame("arp.is-at.2"));
  CHECK(neighbor(bed)["mac"] == "02:00:00:00:00:02");
  const Counts before = bed.counts();
  for (int i = 0; i < 200; ++i) {
    bed.deliver("up0", frame("arp.is-at-moved.2"));
    bed.deliver("up0", frame("arp.is-at.2"));
  }
  bed.run();
  const Counts rise = bed.counts() - before;
  CHECK(neighbor(bed)["mac"] == "02:00:00:00:77:77");
  // The first is believed, and what says the same again; the rest is a quarrel, and more than one source may say a
  // second.
  CHECK(rise.of(DropReason::control_ignored) + rise.of(DropReason::control_limit) >= 200);
  CHECK(rise.all_drops() == rise.of(DropReason::control_ignored) + rise.of(DropReason::control_limit));
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  bed.send("up0", frame("arp.is-at.2"));
  CHECK(neighbor(bed)["mac"] == "02:00:00:00:00:02");
}

TEST_CASE("stall: a change of a neighbor is shown in slices, and frames wait for it") {
  Bed bed(topology(300));
  bed.run();
  bed.nothing_sent();
  const Bytes inner = pipeline_frames().sequence("stream").at(0);
  bed.send("lan0", inner);
  CHECK(bed.nothing_sent());
  bed.send("up0", frame("arp.is-at.2"));
  CHECK(bed.take("up0").size() == 1);
  CHECK(bed.counts().all_drops() == 0);
  for (const json& tunnel : show(bed.gateway(), "tunnels")) CHECK(tunnel["state"] == "up");
}

TEST_CASE("stall: a neighbor's answer passes a storm of strangers") {
  Bed bed(topology(1));
  bed.run();
  bed.nothing_sent();
  CHECK(neighbor(bed)["state"] == "incomplete");
  for (uint16_t i = 0; i < 2000; ++i) bed.deliver("up0", asked_by(i));
  bed.deliver("up0", frame("arp.is-at.2"));
  bed.run_worker();
  // One or another stranger has the mark of the neighbor's address, and stands in the other queue.
  const uint64_t refused = bed.counts().of(DropReason::control_queue_full);
  CHECK(refused <= 2000 - 1024);
  CHECK(refused >= 2000 - 1024 - 16);
  bed.run();
  CHECK(neighbor(bed)["state"] == "reachable");
  bed.nothing_sent();
}

TEST_CASE("stall: of one source a second's share is heard") {
  Bed bed(topology(1));
  bed.run();
  const uint16_t second = bed.gateway().now_s();
  for (int i = 0; i < 1500; ++i) bed.send("up0", frame("arp.asks-us.3"));
  bed.nothing_sent();
  const uint64_t refused = bed.counts().of(DropReason::control_limit);
  CHECK(refused <= 500);
  if (bed.gateway().now_s() == second) CHECK(refused == 500);
}

TEST_CASE("stall: what asks nothing of us doesn't reach the control thread") {
  Bed bed(topology(1));
  bed.run();
  const Counts before = bed.counts();
  for (int i = 0; i < 3000; ++i) bed.deliver("up0", frame("ignored.answer-of-nobody-asked"));
  bed.run_worker();
  const Counts rise = bed.counts() - before;
  CHECK(rise.of(DropReason::control_ignored) == 3000);
  CHECK(rise.to_control == 0);
}

TEST_CASE("stall: frames that wait for neighbors hold a share of the buffers and no more") {
  std::string yaml = topology(0, "", "system: {held-buffers: 64}");
  for (unsigned i = 0; i < 10; ++i) {
    yaml += fmt::format("  gn{}: {{mode: geneve, id: {}, local: 172.31.0.1, remote: 172.31.0.{}}}\n", i, 50 + i, 2 + i);
  }
  const std::string members = "[lan0, gn0]";
  yaml.replace(yaml.find(members), members.size(), "[lan0, gn0, gn1, gn2, gn3, gn4, gn5, gn6, gn7, gn8, gn9]");
  Bed bed(yaml);
  bed.run();
  bed.nothing_sent();
  const unsigned before = bed.buffers();
  const auto stream = pipeline_frames().sequence("stream");
  for (size_t i = 0; i < 16; ++i) bed.send("lan0", stream.at(i));  // to all ten, who are not resolved
  CHECK(bed.gateway().neighbors().held().buffers() <= 64);
  CHECK(before - bed.buffers() <= 64);
  CHECK(bed.counts().of(DropReason::held_limit) == 160 - 64);
  CHECK(bed.counts().all_drops() == 160 - 64);
}

}  // namespace causeway::test
