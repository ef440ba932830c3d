#include "control/yaml/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "control/config/address_text.h"

namespace causeway::config {
namespace {

// Names and values may hold anything ("\x1b" in double quotes): one line of harmless text stays one.
std::string printable(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return result;
}

struct Number {
  bool is_number = false;
  bool fits = false;  // 64 bits, not negative
  uint64_t value = 0;
};

// Decimal, or hexadecimal with 0x. Not 010, which is 8 or 10 depending on the YAML version.
Number parse_number(std::string_view text) {
  Number number;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
    text.remove_prefix(2);
  }
  if (text.empty() || (base == 10 && text.size() > 1 && text[0] == '0')) return number;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number.value, base);
  number.is_number = status != std::errc::invalid_argument && end == text.data() + text.size();
  number.fits = number.is_number && status == std::errc{} && (!negative || number.value == 0);
  return number;
}

constexpr std::string_view kByteSuffixes = "KMGT";

std::string bytes_text(uint64_t bytes) {
  size_t suffix = 0;
  while (bytes >= 1024 && bytes % 1024 == 0 && suffix < kByteSuffixes.size()) {
    bytes /= 1024;
    ++suffix;
  }
  std::string text = std::to_string(bytes);
  if (suffix > 0) text += kByteSuffixes[suffix - 1];
  return text;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

std::string Path::to_string() const {
  if (parent == nullptr) return printable(key);
  std::string text = parent->to_string();
  if (key.empty()) return text + '[' + std::to_string(index) + ']';
  if (!text.empty()) text += '.';
  return text + printable(key.substr(0, 64));
}

void Diagnostics::add(int line, int column, std::string key, std::string what) {
  ++count_;
  if (!is_full()) errors_.push_back({file_, line, column, std::move(key), std::move(what)});
}

std::vector<ConfigError> Diagnostics::take() {
  std::stable_sort(errors_.begin(), errors_.end(), [](const ConfigError& a, const ConfigError& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  if (count_ > errors_.size()) {
    errors_.push_back({file_, 0, 0, "", fmt::format("{} further errors", count_ - errors_.size())});
  }
  return std::move(errors_);
}

std::string quote(std::string_view text) {
  static constexpr size_t kLongest = 40;
  if (text.size() <= kLongest) return fmt::format("'{}'", printable(text));
  size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not within a character
  return fmt::format("'{}...'", printable(text.substr(0, end)));
}

void Suggestion::consider(std::string_view name) {
  static constexpr size_t kLongest = 64;
  if (wrong_.size() > kLongest || name.size() > kLongest) return;
  const size_t limit = std::clamp<size_t>(wrong_.size() / 2, 1, 3);
  size_t distance = limit + 1;
  if (!wrong_.empty() && name.starts_with(wrong_)) {
    distance = 1;  // "mac" for "macaddress"
  } else if (std::max(name.size(), wrong_.size()) - std::min(name.size(), wrong_.size()) <= limit) {
    distance = edit_distance(wrong_, name);
  }
  if (distance <= limit && distance < wrong_.size() && distance < distance_) {
    distance_ = distance;
    nearest_ = name;
  }
}

std::string Suggestion::text() const {
  return nearest_.empty() ? std::string() : fmt::format("; did you mean {}?", quote(nearest_));
}

void Value::error_at(const YamlNode& node, std::string what) const {
  diagnostics_->add(node.line, node.column, path_.to_string(), std::move(what));
}

void Value::error_expected(std::string_view expected) const {
  switch (node_->kind) {
    case YamlKind::null:
      return error(fmt::format("is empty, expected {}", expected));
    case YamlKind::text:
      return error(fmt::format("expected {}, not {}", expected, quote(node_->text)));
    case YamlKind::list:
      return error(fmt::format("expected {}, not a list", expected));
    case YamlKind::map:
      return error(fmt::format("expected {}, not a mapping", expected));
  }
}

bool Value::expect(YamlKind kind, std::string_view expected) const {
  if (node_->kind == kind) return true;
  error_expected(expected);
  return false;
}

std::optional<std::string_view> Value::text(std::string_view expected) const {
  if (!expect(YamlKind::text, expected)) return std::nullopt;
  return node_->text;
}

std::optional<uint64_t> Value::number(uint64_t low, uint64_t high) const {
  const Number number = is_text() && !node_->quoted ? parse_number(node_->text) : Number{};
  if (!number.is_number) {
    error_expected(fmt::format("a whole number ({} to {})", low, high));
    return std::nullopt;
  }
  if (!number.fits || number.value < low || number.value > high) {
    error(fmt::format("{} is out of range ({} to {})", node_->text.substr(0, 40), low, high));
    return std::nullopt;
  }
  return number.value;
}

std::optional<uint64_t> Value::bytes(uint64_t low, uint64_t high) const {
  const std::string range = fmt::format("({} to {})", bytes_text(low), bytes_text(high));
  std::string_view digits = is_text() ? node_->text : std::string_view();
  const size_t suffix = digits.empty() ? std::string_view::npos : kByteSuffixes.find(digits.back());
  if (suffix != std::string_view::npos) digits.remove_suffix(1);
  const Number number = digits.starts_with("0x") ? Number{} : parse_number(digits);
  if (!number.is_number) {
    error_expected(fmt::format("a number of bytes such as 512M or 2G {}", range));
    return std::nullopt;
  }
  const unsigned shift = suffix == std::string_view::npos ? 0 : 10 * (static_cast<unsigned>(suffix) + 1);
  if (!number.fits || number.value > high >> shift || number.value << shift < low) {
    error(fmt::format("{} is out of range {}", node_->text.substr(0, 40), range));
    return std::nullopt;
  }
  return number.value << shift;
}

std::optional<bool> Value::boolean() const {
  if (is_text() && !node_->quoted && (node_->text == "true" || node_->text == "false")) return node_->text == "true";
  error_expected("true or false");
  return std::nullopt;
}

std::optional<size_t> Value::word(std::initializer_list<std::string_view> words) const {
  return word(std::span(words.begin(), words.size()));
}

std::optional<size_t> Value::word(std::span<const std::string_view> words) const {
  std::string expected;
  for (size_t i = 0; i < words.size(); ++i) {
    if (is_text() && node_->text == words[i]) return i;
    if (i != 0) expected += i + 1 == words.size() ? " or " : ", ";
    expected += words[i];
  }
  error_expected(expected);
  return std::nullopt;
}

std::optional<TunnelType> Value::tunnel_type(std::span<const TunnelType> types) const {
  std::vector<std::string_view> names;
  for (const TunnelType type : types) names.push_back(row_of(type).name);
  const auto index = word(names);
  return index ? std::optional(types[*index]) : std::nullopt;
}

std::optional<Toggle> Value::toggle() const {
  // YAML 1.1 tools write on and off as true and false.
  if (is_text() && !node_->quoted && node_->text == "true") return Toggle::on;
  if (is_text() && !node_->quoted && node_->text == "false") return Toggle::off;
  const auto index = word({"auto", "on", "off"});
  if (!index) return std::nullopt;
  return std::array{Toggle::automatic, Toggle::on, Toggle::off}[*index];
}

std::optional<MssClamp> Value::mss_clamp() const {
  constexpr uint64_t kSmallest = 88;    // 128 bytes of IPv4, the smallest that Linux believes (TCP_MIN_MSS)
  constexpr uint64_t kLargest = 65495;  // 65,535 of IPv4
  const std::string_view text = is_text() ? std::string_view(node_->text) : std::string_view();
  if (text == "auto") return MssClamp{MssClamp::Mode::automatic, 0};
  if (text == "off" || (text == "false" && !node_->quoted)) return MssClamp{};
  if (!is_text() || node_->quoted || !parse_number(text).is_number) {
    error_expected(fmt::format("auto, off or a number of bytes ({} to {})", kSmallest, kLargest));
    return std::nullopt;
  }
  const auto bytes = number(kSmallest, kLargest);
  if (!bytes) return std::nullopt;
  return MssClamp{MssClamp::Mode::fixed, static_cast<uint16_t>(*bytes)};
}

std::optional<MacAddress> Value::unicast_mac() const {
  const auto mac = is_text() ? parse_mac(node_->text) : std::nullopt;
  if (!mac) {
    error_expected("a MAC address such as 02:00:00:00:00:01");
  } else if (mac->is_multicast()) {
    error(fmt::format("{} is a multicast MAC address", node_->text));
  } else if (mac->is_zero()) {
    error("the MAC address is zero");
  } else {
    return mac;
  }
  return std::nullopt;
}

std::optional<std::vector<uint8_t>> Value::hex() const {
  std::vector<uint8_t> bytes;
  // A number's digits are digits, too.
  const std::string_view digits = is_text() ? std::string_view(node_->text) : std::string_view();
  bool right = is_text() && digits.size() % 2 == 0;
  for (size_t i = 0; right && i < digits.size(); i += 2) {
    uint8_t byte = 0;
    const auto [end, error] = std::from_chars(&digits[i], &digits[i] + 2, byte, 16);
    right = error == std::errc() && end == &digits[i] + 2;
    bytes.push_back(byte);
  }
  if (right) return bytes;
  error_expected("bytes as hexadecimal digits such as 0a0b0c0d");
  return std::nullopt;
}

std::optional<IpAddress> Value::address() const {
  const auto ip = is_text() ? parse_ip(node_->text) : std::nullopt;
  if (!ip) error_expected("an IPv4 or IPv6 address");
  return ip;
}

std::optional<IpPrefix> Value::prefix() const {
  const auto prefix = is_text() ? parse_prefix(node_->text) : std::nullopt;
  if (!prefix) {
    if (is_text() && parse_ip(node_->text)) {
      error(fmt::format("the prefix length is missing: write {}/24 or so", node_->text));
    } else {
      error_expected("an address with prefix length such as 172.31.0.1/24");
    }
  }
  return prefix;
}

Fields::Fields(const Value& mapping, std::span<const std::string_view> known) : mapping_(mapping), known_(known) {
  mapping_.for_each_entry([&](std::string_view name, const Value& value) {
    const auto found = std::find(known_.begin(), known_.end(), name);
    if (found == known_.end()) {
      Suggestion suggestion(name);
      for (std::string_view candidate : known_) suggestion.consider(candidate);
      const auto meant = std::find(known_.begin(), known_.end(), suggestion.nearest());
      if (meant != known_.end()) misspelled_ |= 1U << (meant - known_.begin());
      return value.key_error("unknown key" + suggestion.text());
    }
    auto& slot = found_[static_cast<size_t>(found - known_.begin())];
    if (slot) return value.key_error(fmt::format("duplicate key, first on line {}", slot->key_place().line));
    slot.emplace(value);
  });
}

std::optional<Value> Fields::find(std::string_view key) const {
  const auto found = std::find(known_.begin(), known_.end(), key);
  return found == known_.end() ? std::nullopt : found_[static_cast<size_t>(found - known_.begin())];
}

void Fields::require(std::initializer_list<std::string_view> keys) const {
  if (!mapping_.is_map() && !mapping_.is_null()) return;  // reported already
  for (std::string_view key : keys) {
    const auto position = static_cast<size_t>(std::find(known_.begin(), known_.end(), key) - known_.begin());
    // One mistake, one error: not missing too.
    if (found_[position] || (misspelled_ >> position & 1) != 0) continue;
    mapping_.key_error(fmt::format("{} is missing", quote(key)));
  }
}

}  // namespace causeway::config
