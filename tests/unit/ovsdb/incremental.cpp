// Rows change at random, and what is made of the changes alone is what is made of all rows.
#include "control/ovsdb/mapping/incremental.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include "control/config/plan.h"
#include "tests/catch.h"
#include "tests/unit/ovsdb/random_rows.h"

namespace causeway::ovsdb {
namespace {

using nlohmann::json;
using test::RandomRows;

RowsBefore what_changed(const Database& old, const Database& now) {
  RowsBefore before;
  for (const auto& [name, table] : old) {
    for (const auto& [uuid, row] : table) {
      if (!now.at(name).contains(uuid) || now.at(name).at(uuid) != row) before[name].emplace(uuid, row);
    }
  }
  for (const auto& [name, table] : now) {
    for (const auto& [uuid, row] : table) {
      if (!old.at(name).contains(uuid)) before[name].emplace(uuid, std::nullopt);
    }
  }
  return before;
}

std::vector<std::string> texts_of(const std::vector<config::Operation>& operations) {
  std::vector<std::string> texts;
  for (const config::Operation& operation : operations) texts.push_back(operation.text);
  return texts;
}

// What runs, as Vswitch keeps it, beside what all rows are translated to.
class Follower {
 public:
  explicit Follower(const Database& rows) : rows_(rows) { take_all(); }

  void change_to(const Database& rows) {
    const RowsBefore before = what_changed(std::exchange(rows_, rows), rows);
    auto patch = translator_.translate_changes(rows_, before, file_, host_);
    if (!patch) return take_all();
    ++patches;
    const Translation all = translate(rows_, file_, host_);
    CHECK(texts_of(config::diff_config(patch->config.before, patch->config.after)) ==
          texts_of(config::diff_config(config_, all.config)));
    config::apply_patch(patch->config, config_);
    for (const auto& [uuid, row] : patch->rows.before["Interface"]) errors_.erase(uuid);
    errors_.merge(patch->errors);
    CHECK(config_ == all.config);
    CHECK(errors_ == all.errors);
  }

  size_t patches = 0;
  size_t wholes = 0;

 private:
  void take_all() {
    ++wholes;
    Translation all = translator_.translate_all(rows_, file_, host_);
    config_ = std::move(all.config);
    errors_ = std::move(all.errors);
  }

  config::Config file_ = test::config_of(test::kFile);
  Host host_{test::kernel_interface};
  Database rows_;
  IncrementalTranslator translator_;
  config::Config config_;
  std::map<std::string, std::string> errors_;
};

// Two bridges; what is in them has names of its own, or most of it.
class TidyRows {
 public:
  explicit TidyRows(uint32_t seed) : random_(seed) {
    rows["Bridge"]["b0"] = {{"name", "br0"}, {"ports", json::array()}};
    rows["Bridge"]["b1"] = {{"name", "br1"}, {"ports", json::array()}};
    rows["Port"];
    rows["Interface"];
  }

  void change() {
    for (unsigned i = 1 + random_.below(3); i > 0; --i) change_one(random_.below(30));
  }

  Database rows;

 private:
  void change_one(unsigned number) {
    const std::string port = fmt::format("p{:02}", number);
    const std::string uuid = fmt::format("i{:02}", number);
    for (const char* bridge : {"b0", "b1"}) {
      json& ports = rows["Bridge"][bridge]["ports"];
      const auto found = std::ranges::find(ports, json(port));
      if (found != ports.end() && random_.below(100) != 0) ports.erase(found);
    }
    if (random_.below(8) == 0) {
      rows["Port"].erase(port);
      rows["Interface"].erase(uuid);
      return;
    }
    Row interface = random_.interface();
    if (random_.below(50) != 0) interface["name"] = fmt::format("n{}", number);
    if (random_.below(50) == 0) interface["name"] = "br0";
    if (interface["options"].is_object()) interface["options"]["key"] = std::to_string(number);
    rows["Interface"][uuid] = interface;
    if (random_.below(2) == 0) rows["Port"][port] = random_.port(number);
    rows["Port"][port]["interfaces"] = json::array({uuid});
    json& ports = rows["Bridge"][random_.below(2) == 0 ? "b0" : "b1"]["ports"];
    const auto place = std::ranges::lower_bound(ports, json(port));
    if (place == ports.end() || *place != port) ports.insert(place, port);
  }

  RandomRows random_;
};

TEST_CASE("changes of tidy rows lead to what all rows lead to") {
  size_t patches = 0;
  size_t wholes = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    TidyRows tidy(seed);
    Follower follower(tidy.rows);
    for (int step = 0; step < 100; ++step) {
      INFO("seed " << seed << ", step " << step);
      tidy.change();
      follower.change_to(tidy.rows);
    }
    patches += follower.patches;
    wholes += follower.wholes;
  }
  std::cout << patches << " changes by themselves, " << wholes << " times all rows\n";
  CHECK(patches > 500);
  CHECK(wholes > 500);
}

TEST_CASE("changes of any rows lead to what all rows lead to") {
  RandomRows random(7);
  Database rows = random.make();
  size_t patches = 0;
  for (int i = 0; i < 300; ++i) {
    Database now = random.make();
    for (const char* table : {"Bridge", "Port", "Interface"}) {
      rows[table];
      now[table];
    }
    Follower follower(rows);
    // One row after another becomes what it is in other rows.
    for (const auto& [table, others] : now) {
      for (const auto& [uuid, row] : others) {
        INFO(i << ": " << table << ' ' << uuid);
        rows[table][uuid] = row;
        follower.change_to(rows);
      }
    }
    patches += follower.patches;
    rows = std::move(now);
  }
  std::cout << patches << " changes of any rows by themselves\n";
  CHECK(patches > 20);
}

TEST_CASE("a port more is no matter of all rows, its name twice is") {
  const auto rows_with = [](unsigned tunnels) {
    Database rows;
    rows["Open_vSwitch"]["r"]["next_cfg"] = tunnels;
    rows["Port"];
    rows["Interface"];
    json ports = json::array();
    for (unsigned i = 0; i < tunnels; ++i) {
      const std::string name = fmt::format("t{}", i);
      ports.push_back("p" + name);
      rows["Port"]["p" + name] = {{"name", name}, {"interfaces", "i" + name}};
      rows["Interface"]["i" + name] = {
          {"name", name}, {"type", "geneve"}, {"options", {{"remote_ip", "10.0.0.2"}, {"key", std::to_string(i)}}}};
    }
    rows["Bridge"]["b"] = {{"name", "br0"}, {"ports", ports}};
    return rows;
  };
  Follower follower(rows_with(3));
  follower.change_to(rows_with(4));
  follower.change_to(rows_with(3));
  follower.change_to(rows_with(8));
  CHECK(follower.patches == 3);
  Database twice = rows_with(8);
  twice["Interface"]["it7"]["name"] = "t0";
  follower.change_to(twice);
  CHECK(follower.patches == 3);
  follower.change_to(rows_with(8));
  CHECK(follower.patches == 3);
  follower.change_to(rows_with(7));
  CHECK(follower.patches == 4);
  // The last one that needs the host's interface takes it away.
  follower.change_to(rows_with(0));
  CHECK(follower.patches == 4);
}

}  // namespace
}  // namespace causeway::ovsdb
