// What workers find hosts by, held against a map while hosts come, change and go.
#include "dataplane/flow/host_table.h"

#include <map>
#include <memory>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/catch.h"

using namespace causeway;

TEST_CASE("host table: hosts that come, change and go") {
  using Key = std::tuple<BridgeIndex, uint16_t, IpAddress>;
  std::mt19937 random(826);
  HostTable table(256, 7, {});
  std::map<Key, std::unique_ptr<KnownHost>> hosts;
  std::vector<std::unique_ptr<KnownHost>> gone;  // nobody frees what a reader may hold
  const auto make = [&](const Key& key) {
    auto host = std::make_unique<KnownHost>();
    std::tie(host->bridge, host->vlan, host->ip) = key;
    host->mac = MacAddress::from_u64(random());
    return host;
  };
  uint32_t used = 0;
  for (int step = 0; step < 20'000; ++step) {
    const auto number = static_cast<uint8_t>(random() % 64);
    const Key key{static_cast<BridgeIndex>(1 + number % 2), static_cast<uint16_t>(number / 2 % 2),
                  IpAddress::v4(10, 0, 0, static_cast<uint8_t>(number / 4))};
    const auto found = hosts.find(key);
    const uint32_t choice = random() % 3;
    if (found == hosts.end()) {
      auto host = make(key);
      used += table.insert(*host) ? 1 : 0;
      hosts[key] = std::move(host);
    } else if (choice == 0) {
      table.replace(*found->second, nullptr);
      gone.push_back(std::move(found->second));
      hosts.erase(found);
    } else if (choice == 1) {
      auto next = make(key);
      table.replace(*found->second, next.get());
      gone.push_back(std::exchange(found->second, std::move(next)));
    }
    REQUIRE(used <= 128);  // slots are used again
    const auto now = hosts.find(key);
    const KnownHost* const expected = now != hosts.end() ? now->second.get() : nullptr;
    REQUIRE(table.find(std::get<0>(key), std::get<1>(key), std::get<2>(key)) == expected);
  }
  for (const auto& [key, host] : hosts) {
    CHECK(table.find(std::get<0>(key), std::get<1>(key), std::get<2>(key)) == host.get());
  }
  CHECK(table.find(3, 0, IpAddress::v4(10, 0, 0, 1)) == nullptr);
}
