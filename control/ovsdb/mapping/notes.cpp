#include "control/ovsdb/mapping/notes.h"

#include <fmt/format.h>

#include <span>

#include "control/ovsdb/columns.h"

namespace causeway::ovsdb {
namespace {

constexpr size_t kMostSubjects = 200;

constexpr const char* kBridgeColumns[] = {"controller", "flood_vlans", "ipfix",       "mcast_snooping_enable",
                                          "netflow",    "rstp_enable", "auto_attach", "sflow",
                                          "stp_enable"};
constexpr const char* kPortColumns[] = {"cvlans", "qos"};
constexpr const char* kInterfaceColumns[] = {"cfm_mpid", "ingress_policing_burst", "ingress_policing_kpkts_burst",
                                             "ingress_policing_kpkts_rate", "ingress_policing_rate"};

void note_columns(Notes& notes, const Row& row, std::span<const char* const> columns, std::string_view table,
                  std::string_view name) {
  for (const char* const column : columns) {
    if (!says_something(row, column)) continue;
    notes.add(fmt::format("{}.{}", table, column), fmt::format("{}: {} has no equal and is ignored", name, column));
  }
}

bool is_enabled(const Row& row, const std::string& column) {
  const std::string* const enable = value_of(row, column, "enable");
  return enable != nullptr && *enable == "true";
}

}  // namespace

void Notes::add(std::string_view key, std::string_view text) {
  const bool rows = detail_ == NoteDetail::rows;
  const std::string subject = rows ? fmt::format("{}\n{}", key, text) : std::string(key);
  auto found = subjects_.find(subject);
  if (found == subjects_.end()) {
    if (!rows && subjects_.size() >= kMostSubjects) return;
    found = subjects_.emplace(subject, Subject{std::string(key), std::string(text), 0}).first;
  }
  ++found->second.rows;
}

void Notes::of_bridge(const Row& row, std::string_view name) {
  note_columns(*this, row, kBridgeColumns, "Bridge", name);
}

void Notes::of_port(const Row& row, std::string_view name) {
  note_columns(*this, row, kPortColumns, "Port", name);
  if (const auto lacp = text_of(row, "lacp"); lacp && *lacp != "off") {
    add("Port.lacp", fmt::format("{}: lacp has no equal and is ignored", name));
  }
}

void Notes::of_interface(const Row& row, std::string_view name) {
  note_columns(*this, row, kInterfaceColumns, "Interface", name);
  for (const char* const column : {"bfd", "lldp"}) {
    if (!is_enabled(row, column)) continue;
    add(fmt::format("Interface.{}", column), fmt::format("{}: {} has no equal and is ignored", name, column));
  }
}

std::vector<Note> Notes::take() {
  std::vector<Note> notes;
  for (auto& [name, subject] : subjects_) {
    if (subject.rows > 1) subject.text += fmt::format(" (and {} more)", subject.rows - 1);
    notes.push_back({std::move(subject.key), std::move(subject.text)});
  }
  subjects_.clear();
  return notes;
}

}  // namespace causeway::ovsdb
