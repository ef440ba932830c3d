// Typed reading of YAML values: whatever is wrong becomes an error with place and key. For yaml/load.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/config/config.h"
#include "control/yaml/load.h"
#include "control/yaml/yaml_tree.h"

namespace causeway::config {

// Where a value stands in the structure: `ethernets.up0.addresses[1]`. Links to its parent, which must live as
// long (on the reader's stack); becomes text only when an error needs it.
struct Path {
  const Path* parent = nullptr;
  std::string_view key{};  // empty: the root, or an item of a list
  size_t index = 0;

  Path operator/(std::string_view child) const { return {this, child, 0}; }
  Path operator[](size_t item) const { return {this, {}, item}; }
  std::string to_string() const;
};

// Collects the errors of one file.
class Diagnostics {
 public:
  explicit Diagnostics(std::string file) : file_(std::move(file)) {}

  void add(int line, int column, std::string key, std::string what);
  size_t count() const noexcept { return count_; }
  bool is_full() const noexcept { return errors_.size() >= kMaxConfigErrors; }
  // In the file's order.
  std::vector<ConfigError> take();

 private:
  std::string file_;
  std::vector<ConfigError> errors_;
  size_t count_ = 0;
};

// 'text', shortened.
std::string quote(std::string_view text);

// Of the names that `wrong` may have been meant to be, the nearest: "; did you mean 'remote'?" or "".
class Suggestion {
 public:
  explicit Suggestion(std::string_view wrong) : wrong_(wrong) {}
  void consider(std::string_view name);
  std::string_view nearest() const noexcept { return nearest_; }  // empty: none
  std::string text() const;

 private:
  std::string_view wrong_;
  std::string_view nearest_{};
  size_t distance_ = SIZE_MAX;
};

// A value and where it stands. The readers report what is wrong and then return nothing.
class Value {
 public:
  // `key`: where the value's name stands, if it has one.
  Value(Diagnostics& diagnostics, const YamlNode& node, const Path& path, const YamlNode* key = nullptr)
      : path_(path), diagnostics_(&diagnostics), node_(&node.target()), key_(key) {}

  std::optional<std::string_view> text(std::string_view expected) const;  // `expected`: for the error
  std::optional<uint64_t> number(uint64_t low, uint64_t high) const;
  std::optional<uint64_t> bytes(uint64_t low, uint64_t high) const;  // 512M
  std::optional<bool> boolean() const;
  std::optional<size_t> word(std::initializer_list<std::string_view> words) const;  // its index
  std::optional<size_t> word(std::span<const std::string_view> words) const;
  std::optional<TunnelType> tunnel_type(std::span<const TunnelType> types) const;  // one of them, by its name
  std::optional<Toggle> toggle() const;
  std::optional<MssClamp> mss_clamp() const;
  std::optional<MacAddress> unicast_mac() const;
  std::optional<std::vector<uint8_t>> hex() const;  // bytes as pairs of hexadecimal digits
  std::optional<IpAddress> address() const;
  std::optional<IpPrefix> prefix() const;

  // Calls `use(item)` for each item of a list.
  template <typename Use>
  void for_each_item(Use&& use) const {
    if (!expect(YamlKind::list, "a list")) return;
    size_t index = 0;
    for (const YamlNode* node = node_->first; node != nullptr; node = node->next) {
      use(Value(*diagnostics_, *node, path_[index++]));
    }
  }

  // Calls `use(name, value)` for each entry of a mapping; keys that are no text are reported and left out.
  template <typename Use>
  void for_each_entry(Use&& use) const {
    if (is_null() || !expect(YamlKind::map, "a mapping")) return;
    for (const YamlNode* node = node_->first; node != nullptr; node = node->next->next) {
      const YamlNode& key = node->target();
      const std::string_view name = key.text;
      const Value value(*diagnostics_, *node->next, path_ / name, node);
      if (key.kind != YamlKind::text || name.empty()) {
        diagnostics_->add(node->line, node->column, path_.to_string(), "a key must be plain text");
      } else {
        use(name, value);
      }
    }
  }

  bool is_null() const noexcept { return node_->kind == YamlKind::null; }
  bool is_map() const noexcept { return node_->kind == YamlKind::map; }
  bool is_list() const noexcept { return node_->kind == YamlKind::list; }
  bool is_text() const noexcept { return node_->kind == YamlKind::text; }
  const Path& path() const noexcept { return path_; }
  // Where the value stands; an empty one, where its key stands.
  const YamlNode& place() const noexcept { return is_null() && key_ != nullptr ? *key_ : *node_; }
  const YamlNode& key_place() const noexcept { return key_ != nullptr ? *key_ : *node_; }
  size_t error_count() const noexcept { return diagnostics_->count(); }

  void error(std::string what) const { error_at(place(), std::move(what)); }
  void key_error(std::string what) const { error_at(key_place(), std::move(what)); }  // at the value's name

 private:
  bool expect(YamlKind kind, std::string_view expected) const;
  void error_expected(std::string_view expected) const;
  void error_at(const YamlNode& node, std::string what) const;

  Path path_;
  Diagnostics* diagnostics_;
  const YamlNode* node_;
  const YamlNode* key_;
};

// A mapping with fixed keys. Unknown and duplicate ones are reported on construction.
class Fields {
 public:
  static constexpr size_t kMaxKeys = 32;

  // `known` outlives the object.
  Fields(const Value& mapping, std::span<const std::string_view> known);
  Fields(const Fields&) = delete;  // values found point into it
  Fields& operator=(const Fields&) = delete;

  std::optional<Value> find(std::string_view key) const;
  void require(std::initializer_list<std::string_view> keys) const;

  // If the key is there, and right, its value goes to `out`.
  template <std::integral T>
  void number(std::string_view key, T& out, uint64_t low, uint64_t high) const {
    if (const auto value = find(key)) {
      if (const auto number = value->number(low, high)) out = static_cast<T>(*number);
    }
  }
  template <std::integral T>
  void number(std::string_view key, std::optional<T>& out, uint64_t low, uint64_t high) const {
    T number{};
    const size_t errors = mapping_.error_count();
    this->number(key, number, low, high);
    if (find(key) && mapping_.error_count() == errors) out = number;
  }
  void boolean(std::string_view key, auto& out) const { read(key, out, &Value::boolean); }
  void toggle(std::string_view key, Toggle& out) const { read(key, out, &Value::toggle); }
  void mss_clamp(std::string_view key, MssClamp& out) const { read(key, out, &Value::mss_clamp); }
  void mac(std::string_view key, auto& out) const { read(key, out, &Value::unicast_mac); }
  void address(std::string_view key, IpAddress& out) const { read(key, out, &Value::address); }

  const Value& mapping() const noexcept { return mapping_; }

 private:
  void read(std::string_view key, auto& out, auto reader) const {
    if (const auto value = find(key)) {
      if (const auto result = ((*value).*reader)()) out = *result;
    }
  }

  const Value mapping_;
  const std::span<const std::string_view> known_;
  std::array<std::optional<Value>, kMaxKeys> found_;  // by position in known_
  uint32_t misspelled_ = 0;                           // bit by position: an unknown key was taken for it
};

}  // namespace causeway::config
