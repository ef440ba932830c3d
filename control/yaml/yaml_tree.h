// A YAML document as a light tree whose nodes know their place in the file. Built from yaml-cpp's events
// instead of its YAML::Node: three times as fast, and places, duplicate keys and aliases are in our hands.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace causeway::config {

enum class YamlKind : uint8_t { null, text, list, map };

struct YamlNode {
  YamlKind kind = YamlKind::null;
  bool quoted = false;  // text that stood in quotes: never a number or a boolean
  int line = 0;         // from 1
  int column = 0;       // from 1, in bytes
  std::string_view text{};
  const YamlNode* first = nullptr;  // list: its items; map: key, value, key, value
  const YamlNode* next = nullptr;   // next sibling
  const YamlNode* alias = nullptr;  // `*name`: the anchored node; the rest but `next` is unused

  // The node meant: itself, or what the alias stands for.
  const YamlNode& target() const noexcept { return alias != nullptr ? *alias : *this; }
};

struct YamlError {
  int line = 0;
  int column = 0;
  std::string what;
};

// Owns the nodes and their text.
class YamlTree {
 public:
  // Nesting below any real file is 6 deep. The bounds keep a hostile file from costing more than some
  // hundred MB and a few seconds.
  static constexpr unsigned kMaxDepth = 32;
  static constexpr uint64_t kMaxNodes = 4'000'000;
  static constexpr uint64_t kMaxAliasedNodes = 1'000'000;  // nodes counted as often as aliases repeat them

  // The text's one document; null root for an empty one.
  static std::optional<YamlTree> parse(std::string_view text, YamlError& error);

  const YamlNode* root() const noexcept { return root_; }
  // The key at a path of keys, or as far along it as there are keys; null: not even the first.
  const YamlNode* key_at(std::span<const std::string_view> path) const noexcept;

 private:
  friend class YamlBuilder;
  std::unique_ptr<std::pmr::monotonic_buffer_resource> arena_ = std::make_unique<std::pmr::monotonic_buffer_resource>();
  const YamlNode* root_ = nullptr;
};

}  // namespace causeway::config
