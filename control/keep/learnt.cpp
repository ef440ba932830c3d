#include "control/keep/learnt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <span>
#include <utility>

#include "control/config/address_text.h"
#include "dataplane/flow/vlan_rules.h"
#include "dataplane/wire/ipv6.h"

namespace causeway {
namespace {

constexpr std::string_view kFirstWords = "causeway-learnt 1";
constexpr std::string_view kNone = "-";
constexpr int64_t kMostSeconds = 1'000'000'000'000;  // of any number of them: sums of those are right

using Words = std::span<const std::string_view>;

// FNV-1a.
uint64_t sum_of(std::string_view text) {
  uint64_t sum = 0xcbf29ce484222325;
  for (const char c : text) sum = (sum ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return sum;
}

template <typename Number>
bool read_number(std::string_view word, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number, base);
  return error == std::errc() && end == word.data() + word.size();
}

bool read_seconds(std::string_view word, int64_t& seconds) {
  return read_number(word, seconds) && seconds >= 0 && seconds <= kMostSeconds;
}

bool read_mac(std::string_view word, MacAddress& mac) {
  const auto parsed = parse_mac(word);
  if (parsed) mac = *parsed;
  return parsed.has_value();
}

bool read_ip(std::string_view word, IpAddress& address) {
  const auto parsed = parse_ip(word);
  if (parsed) address = *parsed;
  return parsed.has_value();
}

// The text's lines: each takes the words behind the first, which says what it is.
bool read_mac_line(Words words, std::chrono::seconds passed, Learnt& learnt) {
  LearntMac mac;
  MacAddress address;
  uint16_t vlan = 0;
  int64_t age_s = 0;
  if (words.size() != 6 || !read_number(words[1], vlan) || vlan >= kVlans || !read_mac(words[2], address) ||
      address.is_multicast() || !read_seconds(words[5], age_s)) {
    return false;
  }
  if (words[4] != kNone && !read_ip(words[4], mac.remote.emplace())) return false;
  mac.bridge = words[0];
  mac.key = mac_vlan(address, vlan);
  mac.interface = words[3];
  mac.age_s = static_cast<uint64_t>(age_s + passed.count());
  learnt.macs.push_back(std::move(mac));
  return true;
}

bool read_neighbor_line(Words words, std::chrono::seconds, Learnt& learnt) {
  LearntNeighbor neighbor;
  if (words.size() != 3 || !read_ip(words[1], neighbor.address) || !read_mac(words[2], neighbor.mac)) return false;
  if (neighbor.mac.is_multicast() || neighbor.mac.is_zero()) return false;
  neighbor.port = words[0];
  learnt.neighbors.push_back(std::move(neighbor));
  return true;
}

bool read_vtep_line(Words words, std::chrono::seconds, Learnt& learnt) {
  LearntVtep vtep;
  if (words.size() != 2 || !read_ip(words[1], vtep.address)) return false;
  vtep.tunnel = words[0];
  learnt.vteps.push_back(std::move(vtep));
  return true;
}

bool read_path_line(Words words, std::chrono::seconds passed, Learnt& learnt) {
  LearntPath path;
  if (words.size() != 4 || !read_ip(words[0], path.path.local) || !read_ip(words[1], path.path.remote) ||
      !read_number(words[2], path.mtu) || path.mtu < kIpv6SmallestMtu || !read_seconds(words[3], path.left_s)) {
    return false;
  }
  path.left_s -= passed.count();
  learnt.paths.push_back(path);
  return true;
}

struct Kind {
  std::string_view name;
  bool (*read)(Words words, std::chrono::seconds passed, Learnt& learnt);
};
constexpr Kind kMac{"mac", read_mac_line};
constexpr Kind kNeighbor{"neighbor", read_neighbor_line};
constexpr Kind kVtep{"vtep", read_vtep_line};
constexpr Kind kPath{"path", read_path_line};
constexpr std::array kKinds{kMac, kNeighbor, kVtep, kPath};

// Nothing where there are more than `most`.
template <size_t most>
Words split(std::string_view line, std::array<std::string_view, most>& words) {
  size_t count = 0;
  for (size_t begin = 0; begin <= line.size(); ++count) {
    if (count == most) return {};
    const size_t end = std::min(line.find(' ', begin), line.size());
    words[count] = line.substr(begin, end - begin);
    begin = end + 1;
  }
  return {words.data(), count};
}

bool read_line(std::string_view line, std::chrono::seconds passed, Learnt& learnt) {
  std::array<std::string_view, 8> room;
  const Words words = split(line, room);
  if (words.empty()) return false;
  const auto* const kind = std::ranges::find(kKinds, words.front(), &Kind::name);
  return kind != kKinds.end() && kind->read(words.subspan(1), passed, learnt);
}

int64_t seconds_of(LearntText::Clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

// The lines between the first and the last, or nothing: those are not as they should be.
std::optional<std::string_view> checked(std::string_view text, std::chrono::seconds& passed,
                                        LearntText::Clock::time_point now) {
  const size_t end = text.rfind("\nend ");
  if (end == std::string_view::npos || !text.ends_with('\n')) return {};
  std::array<std::string_view, 3> room;
  const std::string_view all = text.substr(0, end + 1);
  const Words last = split(text.substr(end + 1, text.size() - end - 2), room);
  size_t lines = 0;
  uint64_t sum = 0;
  if (last.size() != 3 || !read_number(last[1], lines) || !read_number(last[2], sum, 16)) return {};
  if (sum != sum_of(all) || lines + 1 != static_cast<size_t>(std::ranges::count(all, '\n'))) return {};
  const size_t begin = all.find('\n') + 1;
  int64_t written_s = 0;
  const std::string_view first = all.substr(0, begin - 1);
  if (!first.starts_with(kFirstWords)) return {};
  const Words words = split(first, room);
  if (words.size() != 3 || !read_seconds(words[2], written_s)) return {};
  // A clock that went back says nothing.
  passed = std::chrono::seconds(std::max<int64_t>(0, seconds_of(now) - written_s));
  return all.substr(begin);
}

}  // namespace

LearntText::LearntText(Clock::time_point now) : text_(fmt::format("{} {}\n", kFirstWords, seconds_of(now))) {}

void LearntText::add(const LearntMac& mac) {
  ++lines_;
  fmt::format_to(std::back_inserter(text_), "{} {} {} {} {} {} {}\n", kMac.name, mac.bridge, vlan_of(mac.key),
                 to_string(mac_of(mac.key)), mac.interface, mac.remote ? to_string(*mac.remote) : std::string(kNone),
                 mac.age_s);
}

void LearntText::add(const LearntNeighbor& neighbor) {
  ++lines_;
  fmt::format_to(std::back_inserter(text_), "{} {} {} {}\n", kNeighbor.name, neighbor.port, to_string(neighbor.address),
                 to_string(neighbor.mac));
}

void LearntText::add(const LearntVtep& vtep) {
  ++lines_;
  fmt::format_to(std::back_inserter(text_), "{} {} {}\n", kVtep.name, vtep.tunnel, to_string(vtep.address));
}

void LearntText::add(const LearntPath& path) {
  ++lines_;
  fmt::format_to(std::back_inserter(text_), "{} {} {} {} {}\n", kPath.name, to_string(path.path.local),
                 to_string(path.path.remote), path.mtu, path.left_s);
}

std::string LearntText::take() {
  text_ += fmt::format("end {} {:016x}\n", lines_, sum_of(text_));
  lines_ = 0;
  return std::exchange(text_, {});
}

std::optional<Learnt> read_learnt(std::string_view text, LearntText::Clock::time_point now, std::string& error) {
  std::chrono::seconds passed{};
  auto lines = checked(text, passed, now);
  if (!lines) {
    error = "it is cut, or was written by something else";
    return {};
  }
  Learnt learnt;
  for (size_t number = 2; !lines->empty(); ++number) {
    const size_t end = lines->find('\n');
    if (!read_line(lines->substr(0, end), passed, learnt)) {
      error = fmt::format("line {} is none that is known", number);
      return {};
    }
    lines->remove_prefix(end + 1);
  }
  return learnt;
}

}  // namespace causeway
