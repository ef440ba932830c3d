#include "control/config/differences.h"

#include <fmt/format.h>

#include <functional>
#include <set>
#include <string_view>
#include <type_traits>
#include <variant>

#include "control/config/keys.h"
#include "control/config/value_text.h"

namespace causeway::config {
namespace {

// Another order is a difference, too: it says which of a tunnel's remotes a static MAC is behind, and what `show` lists
// first.
template <typename T>
std::string difference_of_lists(const std::vector<T>& before, const std::vector<T>& after) {
  std::string text;
  const std::set<T> old_items(before.begin(), before.end());
  const std::set<T> new_items(after.begin(), after.end());
  for (const T& item : after) {
    if (!old_items.contains(item)) text += fmt::format(" +{}", text_of(item));
  }
  for (const T& item : before) {
    if (!new_items.contains(item)) text += fmt::format(" -{}", text_of(item));
  }
  return text.empty() ? " in another order" : text;
}

template <typename T>
constexpr bool kIsList = false;
template <typename T>
constexpr bool kIsList<std::vector<T>> = true;

void compare(Differences& result, const auto& rows, const std::string& prefix, const auto& before, const auto& after);

// Two values that differ.
void add_difference(Differences& result, const std::string& name, const auto& form, const auto& old,
                    const auto& fresh) {
  if constexpr (kIsList<std::remove_cvref_t<decltype(old)>>) {
    result.push_back(name + difference_of_lists(old, fresh));
  } else {
    result.push_back(fmt::format("{} {} -> {}", name, text_of(form, old), text_of(form, fresh)));
  }
}
template <const auto& kRows>
void add_difference(Differences& result, const std::string& name, const Mapping<kRows>&, const auto& old,
                    const auto& fresh) {
  compare(result, kRows, name + ".", old, fresh);
}

// Adds what differs in the keys of `rows`.
void compare(Differences& result, const auto& rows, const std::string& prefix, const auto& before, const auto& after) {
  for_each_key(rows, [&](const auto& key) {
    if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(key.member)>, NoMember>) {
      const auto& old = std::invoke(key.member, before);
      const auto& fresh = std::invoke(key.member, after);
      if (old != fresh) add_difference(result, fmt::format("{}{}", prefix, key.name_in_plan), key.form, old, fresh);
    }
  });
}

void compare_devices(Differences& result, const Ethernet& before, const Ethernet& after) {
  if (before.device == after.device) return;
  const std::string old_text = text_of(before);
  const std::string text = text_of(after);
  if (old_text != text) {
    result.push_back(fmt::format("device {} -> {}", old_text, text));
    return;
  }
  // What that doesn't say of a generator. Of a NIC model, a switch may have a name like the words around it.
  const auto* const old = std::get_if<GeneratorSettings>(&before.device);
  const auto* const fresh = std::get_if<GeneratorSettings>(&after.device);
  if (old == nullptr || fresh == nullptr) {
    result.push_back(fmt::format("device another {}", text));
    return;
  }
  GeneratorSettings same_queues = *fresh;  // these are the ethernet's
  same_queues.rx_queues = old->rx_queues;
  compare(result, kGeneratorKeys, "generator.", *old, same_queues);
}

std::string route_tables_text(const Ethernet& ethernet) {
  std::vector<std::string> texts;
  for (const uint32_t table : ethernet.route_tables) texts.push_back(table_text(table));
  return texts.empty() ? "none" : joined(texts);
}

void compare_flags(Differences& result, std::string_view name, bool before, bool after) {
  if (before != after) result.push_back(fmt::format("{} {} -> {}", name, text_of(before), text_of(after)));
}

}  // namespace

Differences differences_of(const Ethernet& before, const Ethernet& after) {
  Differences result;
  if (before == after) return result;
  compare_devices(result, before, after);
  if (before.rx_queues != after.rx_queues) {
    const auto text = [](uint16_t queues) { return queues == 0 ? std::string("default") : text_of(queues); };
    result.push_back(fmt::format("rx-queues {} -> {}", text(before.rx_queues), text(after.rx_queues)));
  }
  compare(result, kEthernetKeys, "", before, after);
  if (before.host_addresses != after.host_addresses) {
    result.emplace_back(after.host_addresses ? "addresses +host" : "addresses -host");
  }
  if (before.route_tables != after.route_tables) {
    result.push_back(fmt::format("routes of table {} -> {}", route_tables_text(before), route_tables_text(after)));
  }
  compare_flags(result, "underlay-vlans", before.underlay_vlans, after.underlay_vlans);
  compare_flags(result, "bridged-vlans", before.bridged_vlans, after.bridged_vlans);
  if (result.empty()) result.emplace_back(kUnnamed);
  return result;
}

Differences differences_of(const Tunnel& before, const Tunnel& after) {
  Differences result;
  if (before == after) return result;
  compare(result, kTunnelKeys, "", before, after);
  if (before.evpn && after.evpn) compare(result, kEvpnKeys, "", *before.evpn, *after.evpn);
  if (result.empty()) result.emplace_back(kUnnamed);
  return result;
}

Differences differences_of(const Bridge& before, const Bridge& after) {
  Differences result;
  compare(result, kParameterKeys, "", before, after);
  return result;
}

Differences differences_of(const Sflow& before, const Sflow& after) {
  Differences result;
  compare(result, kSflowKeys, "", before, after);
  return result;
}

Differences differences_of(const Mirror& before, const Mirror& after) {
  Differences result;
  if (before == after) return result;
  compare(result, kMirrorKeys, "", before, after);
  if (result.empty()) result.emplace_back(kUnnamed);
  return result;
}

std::vector<SystemDifference> differences_of(const System& before, const System& after) {
  std::vector<SystemDifference> result;
  for_each_key(kSystemKeys, [&](const auto& key) {
    const auto& old = std::invoke(key.member, before);
    const auto& fresh = std::invoke(key.member, after);
    if (old == fresh) return;
    result.push_back(
        {std::string(key.name), fmt::format("{} -> {}", text_of(key.form, old), text_of(key.form, fresh))});
  });
  return result;
}

}  // namespace causeway::config
